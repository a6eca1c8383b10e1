"""A thousand services of ten instances: what the agent reports about them, and
how one of them behaves when all others lose their instances at once."""

import json
import threading

import pytest

import wait
from fleet import state
from haproxy import web
from page import Page
from service import compact
from status import Status
from zookeeper import register

MANY = 1000
EACH = 10
FIRST_PORT = 9   # of instances that nobody checks

# The longest time for which scrolling through the whole page may block it.
SCROLL = """
const done = arguments[0], start = performance.now();
let last = start, longest = 0;
(function frame(time) {
  longest = Math.max(longest, time - last); last = time;
  scrollBy(0, document.body.scrollHeight / 100);
  if (time - start < 2000) requestAnimationFrame(frame);
  else done(longest);
})(start);"""


# How long the page takes, in ms, until it has shown what matches a letter more.
TYPE = """
const field = document.querySelector("#search"), took = [];
for (const text of ["s", "se", "servi", "service-07", "127.0.0.1:12 07", ""]) {
  const start = performance.now();
  field.value = text;
  field.dispatchEvent(new Event("input"));
  document.body.offsetHeight;
  took.push(performance.now() - start);
}
return took;"""
ASKED = """return performance.getEntriesByType("resource").filter((it) =>
  it.name.includes("status.json?since=")).length"""
TURNS = 10   # of the page while nothing changes
CHARTS = ASKED.replace("since=", "counters=1&instances=0&history=1")


# Seconds for which the guard keeps the instances.
HOLD = 10
# Seconds that a change of one service may take.
USUAL = 5


def names():
    return [f"service-{n:04}" for n in range(MANY - 1)]


def fill(client, path):
    """Registers the instances of all services except the watched one."""
    client.ensure_path(path)
    transaction = client.transaction()
    for number, name in enumerate(names(), 1):
        transaction.create(f"{path}/{name}")
        for port in range(FIRST_PORT, FIRST_PORT + EACH):
            transaction.create(f"{path}/{name}/i_{port:010}",
                               compact({"host": "127.0.0.1", "port": port}))
        if number % 50 == 0 or number == MANY - 1:
            assert all(isinstance(it, str) for it in transaction.commit())
            transaction = client.transaction()


@pytest.fixture
def page(sandbox, healthy, witness, path, browser):
    """Only one of the services has checks and real instances."""
    fill(witness, path)
    backends = [web(healthy, f"{path}/{name}", name=name, slots=EACH,
                    server="", haproxy={}) for name in names()]
    backends.append(web(healthy, f"{path}/watched", name="watched"))
    return Page(sandbox, witness, path, backends, browser)


def test_they_are_shown_and_the_page_stays_smooth(page):
    page.add("watched", "one")
    page.opens()
    page.browser.shows(f"All {MANY} services are whole", "#verdict", 60)
    page.browser.shows(f"{(MANY - 1) * EACH + 1} / ", "#ready")
    page.browser.picture("thousand")
    longest = page.browser.driver.execute_async_script(SCROLL)
    print(f"longest frame {longest:.0f} ms")
    assert longest < 500 * wait.FACTOR
    # The browser keeps 250 of them, and no later one.
    page.browser.run("performance.clearResourceTimings()")
    before = page.browser.processor_time()
    wait.until(lambda: page.browser.run(ASKED) >= TURNS, 60,
               "it has asked again")
    worked = page.browser.processor_time() - before
    took = page.browser.run(TYPE)
    print(f"the page works {1000 * worked / TURNS:.0f} ms in each turn; "
          "letters took", *(f"{it:.0f} ms" for it in took))
    assert worked < TURNS / 2 * wait.FACTOR
    # The charts are asked for when they come into view, and then not again.
    assert page.browser.run(CHARTS) < TURNS / 2
    assert min(took) < 100 * wait.FACTOR
    page.browser.press("/", "0777")
    assert page.rows() == ["service-0777"]
    page.client.delete(f"{page.path}/service-0777/i_{FIRST_PORT:010}")
    wait.until(lambda: page.cells("service-0777") == ["ready"] * 9, 5,
               "one is gone")


def test_one_that_dies_among_them_changes_its_cell_within_two_seconds(page):
    one = page.add("watched", "one")
    page.add("watched", "two")
    page.opens()
    page.browser.shows(f"All {MANY} services are whole", "#verdict", 60)
    wait.until(lambda: page.cells("watched") == ["ready", "ready"], 10, "ready")
    one.process.kill()
    took = wait.elapsed(lambda: wait.until(
        lambda: page.cells("watched") == ["failed", "ready"], 10, "failed"))
    print(f"seen after {took:.2f} s")
    assert took < 2 * wait.FACTOR
    page.browser.shows("1 degraded of 1000 services", "#verdict", 2)


@pytest.mark.parametrize("asked, said", [
    ("/metrics", 'synapse_service_instances{service="watched",'
                 'state="failed"} 1\n'),
    ("/events.json", '"to":"failed"'),
    ("/status.json?problems=1", '"state":"failed"'),
])
def test_whatever_is_asked_knows_what_a_check_has_just_found(
        page, asked, said):
    one = page.add("watched", "one")
    page.proxy.serves([one], "watched", 60)
    status = Status(page.proxy)
    wait.until(lambda: '"whole":1000' in status.ask(
        "/status.json?limit=1")[1], 60, "all are whole")
    one.process.kill()
    page.proxy.serves([], "watched")
    assert said in status.ask(asked)[1]


def leave(client, path):
    """Deletes the instances of all services except the watched one, in few
    transactions: a request may have a megabyte."""
    for first in range(0, MANY - 1, 250):
        transaction = client.transaction()
        for name in names()[first:first + 250]:
            for port in range(FIRST_PORT, FIRST_PORT + EACH):
                transaction.delete(f"{path}/{name}/i_{port:010}")
        assert all(it is True for it in transaction.commit())


class Health:
    """Asks for /healthz again and again during its block."""

    def __init__(self, proxy):
        self._status = Status(proxy)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.answers = []

    def _ask(self):
        while not self._ending.wait(0.1):
            try:
                self.answers.append(self._status.ask("/healthz")[0].status)
            except OSError as error:
                self.answers.append(error)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()


# The guard searched the znodes of all services for each instance that it kept,
# five times a second. For a quarter of a minute the agent answered no request,
# and /healthz said so.
def test_one_converges_as_ever_while_all_others_lose_their_instances(
        sandbox, healthy, witness, path):
    fill(witness, path)
    one, two = sandbox.service("one"), sandbox.service("two")
    settings = {"guard": {"window": 1, "hold": HOLD},
                "use_previous_backends": False}
    # One service answers all checks.
    check = f"check inter 60s addr {one.host} port {one.port}"
    backends = [web(healthy, f"{path}/{name}", name=name, slots=EACH,
                    server=check, haproxy={"server_options": ""},
                    service=settings) for name in names()]
    backends.append(web(healthy, f"{path}/watched", name="watched"))
    proxy = sandbox.haproxy(backends, status=True)
    register(witness, f"{path}/watched", one.payload("one"))
    status, times = Status(proxy), []

    def count(name):
        """Returns how many instances of all services are in a state. Returns
        None if HAProxy cut the answer: a Lua service has 4 s, and on a busy
        machine it spends them waiting for the agent's turns."""
        answer, body = status.ask("/status.json?limit=1&instances=0")
        if answer.status == 500:
            return None
        return json.loads(body)["totals"]["states"].get(name, 0)

    def serves(*wanted):
        wait.until(lambda: state(proxy, ["watched"]) ==
                   {"watched": sorted(it.address for it in wanted)}, 10,
                   "the watched one has converged")

    def converge():
        node = register(witness, f"{path}/watched", two.payload("two"))
        times.append(wait.elapsed(lambda: serves(one, two)))
        witness.delete(node)
        times.append(wait.elapsed(lambda: serves(one)))

    wait.until(lambda: count("ready") == (MANY - 1) * EACH + 1, 60,
               "all are ready")
    serves(one)
    with Health(proxy) as health:
        leave(witness, path)
        converge()
        wait.until(lambda: count("retained"), 20, "the guard keeps them")
        while count("retained") != 0:
            converge()
        wait.until(lambda: count("ready") == 1, 60, "all others are gone")
    assert set(health.answers) == {200}
    print(f"converged {len(times)} times, in {max(times):.2f} s at most, the "
          f"first one in {times[0]:.2f} s; "
          f"{len(health.answers)} answers of /healthz; turns:",
          *proxy.process.lines("event loop blocked"),
          status.ask("/metrics")[1].partition("synapse_turn_seconds")[2],
          sep="\n")
    assert max(times) < USUAL * wait.FACTOR
