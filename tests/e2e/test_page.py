"""The status page, in a real browser."""

import json
import time

import pytest
from selenium.webdriver.common.keys import Keys

import wait
from browser import Browser
from haproxy import web
from service import compact
from test_hostile import corpus
from zookeeper import register

SCRIPT = "<img src=x onerror='window.ran=1'><script>window.ran=1</script>"


class Page:
    """A HAProxy with its page open in a browser, over services that one may
    kill."""

    def __init__(self, sandbox, client, path, backends, browser):
        self.client = client
        self.path = path
        self.sandbox = sandbox
        self.proxy = sandbox.haproxy(backends, status=True)
        self.url = f"http://{self.proxy.host}:{self.proxy.status_port}/"
        self.browser = browser
        browser.clear()

    def add(self, backend, name, **more):
        """One more instance of a service."""
        made = self.sandbox.service(name)
        register(self.client, f"{self.path}/{backend}",
                 made.payload(name, **more))
        return made

    def opens(self, of=""):
        self.browser.open(self.url + of)
        wait.until(lambda: self.browser.text("#live") == "live", 20,
                   "the page is live")

    def cells(self, name):
        """The states of a service's instances, as its cells show them."""
        return self.browser.run(
            "return [...document.querySelectorAll('#list .row')]"
            ".filter((it) => it.dataset.name === arguments[0])"
            ".flatMap((it) => [...it.querySelectorAll('.cells i')]"
            ".map((cell) => cell.className))", name)

    def rows(self):
        """The names of the services that are seen, in order."""
        return self.browser.run(
            "return [...document.querySelectorAll('#list .row')]"
            ".filter((it) => it.offsetParent).map((it) => it.dataset.name)")


NAMES = ("checkout", "search", "users")


@pytest.fixture(scope="session")
def browser(shared):
    """One for all tests: it takes longer to start than most of them."""
    return Browser(shared)


@pytest.fixture
def page(sandbox, healthy, witness, path, browser):
    for name in NAMES:
        witness.ensure_path(f"{path}/{name}")
    return Page(sandbox, witness, path, [
        web(healthy, f"{path}/{name}", name=name) for name in NAMES], browser)


def test_an_instance_that_dies_changes_its_cell_within_two_seconds(page):
    one = page.add("users", "users-1")
    page.add("users", "users-2")
    page.opens()
    wait.until(lambda: page.cells("users") == ["ready", "ready"], 10, "ready")
    one.process.kill()
    start = time.monotonic()
    wait.until(lambda: page.cells("users") == ["failed", "ready"], 10,
               "its cell is another one")
    took = time.monotonic() - start
    assert took < 2 * wait.FACTOR
    page.browser.shows("1 instance fails HAProxy's check", "#verdict", 2)
    page.browser.shows("ready \u2192 failed", "#events")
    page.browser.shows("connection refused", "#events")
    assert page.rows()[-1] == "users"  # the other two are down


def test_search_shows_what_matches_as_one_types(page):
    one = page.add("users", "a-name-of-its-own")
    page.add("search", "search-1")
    page.opens()
    wait.until(lambda: page.cells("users") == ["ready"], 10, "ready")
    page.browser.press("/")
    page.browser.press("u", "s")
    assert page.rows() == ["users"]
    page.browser.shows("1 of 3", "#shown")
    page.browser.press(Keys.ESCAPE)
    assert sorted(page.rows()) == sorted(NAMES)
    page.browser.press("its-own")
    assert page.rows() == ["users"]
    page.browser.press(Keys.ESCAPE, one.address)
    assert page.rows() == ["users"]
    page.browser.press(Keys.ESCAPE, "nobody")
    assert page.rows() == []
    page.browser.shows("No service matches.")


def test_all_can_be_done_with_the_keyboard(page):
    page.add("checkout", "checkout-1")
    page.opens()
    wait.until(lambda: page.cells("checkout") == ["ready"], 10, "ready")
    focus = "return document.activeElement.textContent"
    page.browser.press("j")
    assert page.browser.run(focus) == page.rows()[0]
    page.browser.press("j", "j", "j")
    assert page.browser.run(focus) == page.rows()[2] == "checkout"
    page.browser.press(Keys.ENTER)
    page.browser.shows("checkout: whole", "#one-head")
    page.browser.press("j", Keys.ENTER)
    page.browser.shows('"checkout-1"', "#instances pre")
    page.browser.press(Keys.ESCAPE)
    wait.until(lambda: len(page.rows()) == 3, 5, "all services again")


def test_a_service_has_a_view_of_its_own_by_its_url(page):
    one = page.add("users", "users-1", weight=0)
    node = register(page.client, f"{page.path}/users",
                    compact({"host": "::", "port": 1}), "bad_")
    page.opens("#users")
    page.browser.shows("users: down", "#one-head")
    page.browser.shows("none of 1 instance can take new requests", "#reasons")
    page.browser.shows(f"{page.path}/users", "#facts")
    page.browser.shows(f"{one.address} draining", "#instances")
    page.browser.shows(node.rpartition("/")[2] + " invalid", "#instances")
    page.browser.run("document.querySelectorAll('details').forEach("
                     "(it) => { it.open = true })")
    page.browser.shows('{"host":"::","port":1}', "#instances")
    page.browser.shows(one.payload("users-1", weight=0).decode(), "#instances")
    page.opens("#nobody")
    page.browser.shows("There is no such service here.", "#reasons")


def test_hostile_znodes_are_shown_and_nothing_of_them_runs(page):
    cases = [data for _, data in corpus()] + [
        compact({"host": SCRIPT, "port": 1}), SCRIPT.encode(),
        b'{"host":"\xe2\x80\xae", "port": 1}']
    for number, data in enumerate(cases):
        register(page.client, f"{page.path}/users", data,
                 f"bad{number}_<script>alert(1)<\\script>")
    one = page.sandbox.service("one")
    register(page.client, f"{page.path}/users",
             one.payload(SCRIPT, labels={SCRIPT: SCRIPT}))
    page.opens()
    wait.until(lambda: page.cells("users") == ["invalid"] * len(cases)
               + ["ready"], 20, "all are refused, and shown")
    page.opens("#users")
    page.browser.run("document.querySelectorAll('details').forEach("
                     "(it) => { it.open = true })")
    page.browser.shows(SCRIPT, "#instances")
    page.browser.shows(r"\u202e", "#instances")
    assert page.browser.run(
        "return [window.ran, document.querySelectorAll('img').length,"
        " document.scripts.length]") == [None, 0, 1]
    assert page.browser.complaints() == []


def test_contact_that_is_lost_is_said_and_so_is_its_return(page):
    page.opens()
    page.proxy.stop()
    page.browser.shows("No contact with HAProxy since", "#lost")
    page.browser.shows("no contact", "#live")
    assert page.browser.run("return getComputedStyle(document.querySelector("
                            "'.row .live')).visibility") == "hidden"
    assert page.browser.judge() == []
    page.browser.picture("lost")
    page.proxy.start()
    wait.until(lambda: not page.browser.count("#lost"), 20, "contact again")
    page.browser.shows("live", "#live")


def test_a_reload_is_followed_and_a_new_worker_told_of(page):
    page.add("users", "users-1")
    page.opens()
    wait.until(lambda: page.cells("users") == ["ready"], 10, "ready")
    worker = str(page.proxy.reload())
    page.browser.shows(f"worker {worker}", "#about")
    wait.until(lambda: page.cells("users") == ["ready"], 10, "ready again")


def test_a_hidden_page_asks_for_nothing(page):
    page.opens()
    page.browser.run(
        "Object.defineProperty(document, 'hidden', {get: () => window.hid,"
        " configurable: true}); window.hid = true")
    page.browser.shows("paused", "#live")
    def asked():
        return page.browser.run(
            "return performance.getEntriesByType('resource').length")
    before = asked()
    wait.always(lambda: asked() == before, 2, "nothing is asked")
    page.browser.run("window.hid = false;"
                     "document.dispatchEvent(new Event('visibilitychange'))")
    wait.until(lambda: asked() > before, 5, "it asks again")


def fits(page, of, selector, name):
    """One view fits its width; a picture of it is kept."""
    page.opens(of)
    page.browser.shows("users", selector)
    assert page.browser.run("return document.documentElement.scrollWidth"
                            " <= innerWidth"), f"{name}: wider than the page"
    page.browser.picture(name)


def test_everybody_can_use_it_at_every_size(page):
    dead = [page.add("search", "search-1"), page.add("users", "users-1")]
    page.add("users", "users-2")
    page.add("users", "users-3", weight=0)
    page.add("checkout", "checkout-1")
    register(page.client, f"{page.path}/users", b"rubbish", "bad_")
    page.opens()
    wait.until(lambda: page.cells("users").count("ready") == 2, 10, "ready")
    for one in dead:
        one.process.kill()
    wait.until(lambda: page.rows() == ["search", "users", "checkout"], 10,
               "problems first")
    for width, scheme in ((2000, "light"), (360, "dark"), (1280, "light"),
                          (1280, "dark")):
        page.browser.look(width, 900, scheme)
        for of, selector in (("", "#list"), ("#users", "#instances")):
            name = f"{of[1:] or 'all'}-{width}-{scheme}"
            fits(page, of, selector, name)
            # Each judgement takes a second or more: of 2000 pixels none.
            assert width > 1280 or page.browser.judge() == [], name
    assert page.browser.complaints() == []


MANY = 1000


def test_a_thousand_services_are_shown_and_stay_smooth(
        sandbox, healthy, witness, path, browser):
    backends = [web(healthy, f"{path}/{n:04}", name=f"service-{n:04}", slots=10,
                    server="", haproxy={}) for n in range(MANY)]
    one = compact({"host": "127.0.0.1", "port": 9})
    for start in range(0, MANY, 100):
        transaction = witness.transaction()
        witness.ensure_path(path)
        for n in range(start, start + 100):
            transaction.create(f"{path}/{n:04}")
            for port in range(9, 19):
                transaction.create(f"{path}/{n:04}/i_{port:010}",
                                   one.replace(b"9", b"%d" % port))
        transaction.commit()
    page = Page(sandbox, witness, path, backends, browser)
    page.opens()
    page.browser.shows("All 1000 services are whole", "#verdict", 60)
    page.browser.shows("10000 / 10000", "#ready")
    # The longest that a scroll through all of it holds the page up.
    longest = page.browser.driver.execute_async_script("""
      const done = arguments[0], start = performance.now();
      let last = start, longest = 0;
      (function frame(time) {
        longest = Math.max(longest, time - last); last = time;
        scrollBy(0, document.body.scrollHeight / 100);
        if (time - start < 2000) requestAnimationFrame(frame);
        else done(longest);
      })(start);""")
    print(f"longest frame {longest:.0f} ms")
    assert longest < 500 * wait.FACTOR
    page.browser.press("/", "0777")
    assert page.rows() == ["service-0777"]
    page.client.delete(f"{path}/0777/i_{9:010}")
    wait.until(lambda: page.cells("service-0777") == ["ready"] * 9, 5,
               "one is gone")
    page.browser.picture("thousand")
    print(json.dumps(page.browser.run(
        "return performance.getEntriesByType('resource').slice(-3)"
        ".map((it) => [it.name, it.duration, it.transferSize])")))
