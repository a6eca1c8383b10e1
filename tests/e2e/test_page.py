"""The status page, in a real browser."""

import itertools
import json
import time

import pytest
from selenium.webdriver.common.keys import Keys

import wait
from haproxy import web
from page import Page
from service import compact
from test_hostile import corpus
from zookeeper import children, register

SCRIPT = "<img src=x onerror='window.ran=1'><script>window.ran=1</script>"
NAMES = ("checkout", "search", "users")
SIZES = (320, 1280, 2000)
VIEWS = {"all": ("", "#list"), "users": ("#users", "#instances")}


def judge(page, name):
    """Asserts that what is visible fits its width and that axe-core finds
    nothing wrong. Keeps a picture."""
    assert page.browser.run("return document.documentElement.scrollWidth"
                            " <= innerWidth"), f"{name}: wider than the page"
    page.browser.picture(name)
    assert page.browser.judge() == [], name


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
    assert page.browser.run(
        "return document.querySelector('i.failed').title").startswith(
            f"{one.address}, users-1, weight 1, failed: HAProxy's check fails")
    assert page.rows()[-1] == "users"  # the other two are down
    page.opens("#users")
    page.browser.shows("users-2", "#instances")
    wait.until(lambda: page.browser.run(
        "return document.querySelectorAll('.full > *').length") > 3, 10,
        "all is known of both")
    page.browser.run("document.querySelectorAll('details').forEach("
                     "(it) => { it.open = true })")
    assert page.browser.run(
        "return [...document.querySelectorAll('#instances tr')]"
        ".map((row) => [...row.cells].map((it) => it.textContent))") == [
            ["", "ZooKeeper", "wanted", "HAProxy"],
            ["state", "registered", "ready", "ready, its check fails"]]
    assert page.browser.text("#instances").count("HAProxy agree.") == 1


def test_an_instance_that_left_is_told_beside_those_that_are_ready(page):
    """After a death nerve removes the znode: the page said "2 / 2, all of
    them", and only the events knew that there had been three."""
    page.add("users", "users-1")
    two = page.add("users", "users-2")
    page.opens()
    wait.until(lambda: page.cells("users") == ["ready", "ready"], 10, "ready")
    assert page.browser.text("#ready-more") == "all of them"
    znodes = f"{page.path}/users"
    gone = children(page.client, znodes)[-1]
    data, _ = page.client.get(f"{znodes}/{gone}")
    page.client.delete(f"{znodes}/{gone}")
    page.browser.shows("all of them, 1 left in the last 10 min", "#ready-more")
    assert page.cells("users") == ["ready"]
    assert two.process.alive()
    page.client.create(f"{znodes}/{gone}", data)
    wait.until(lambda: page.browser.text("#ready-more") == "all of them", 10,
               "it is back")


def test_search_shows_what_matches_as_one_types(page):
    one = page.add("users", "a-name-of-its-own")
    page.add("search", "search-1")
    page.opens()
    wait.until(lambda: page.cells("users") == ["ready"], 10, "ready")
    page.browser.press("/")
    page.browser.press("u", "s")
    assert page.rows() == ["users"]
    page.browser.shows("1 of 3", "#shown")
    page.browser.shows("users", "#events")
    assert "search" not in page.browser.text("#events")
    page.browser.press(Keys.ESCAPE)
    assert sorted(page.rows()) == sorted(NAMES)
    page.browser.press("its-own")
    assert page.rows() == ["users"]
    page.browser.press(Keys.ESCAPE, one.address)
    assert page.rows() == ["users"]
    page.browser.press(Keys.ESCAPE, "nobody")
    assert page.rows() == []
    page.browser.shows("No service matches.")
    page.browser.shows("No event matches.", "#events")


def test_an_axis_shows_when_it_happened_and_what_until_then(page):
    one = page.add("users", "users-1")
    page.opens("#users")
    page.browser.shows("0 worse, 1 better, known since ", "#when-said")
    one.process.kill()
    page.browser.shows("1 worse, 1 better", "#when-said")
    assert page.browser.count("#events b") == 2
    assert page.browser.run(
        "return document.querySelectorAll('#chart-events .worse').length") == 1
    page.browser.run("document.querySelector('#until').focus()")
    page.browser.press(Keys.HOME)
    page.browser.shows("; shown until ", "#when-said")
    assert page.browser.count("#events b") == 0
    page.browser.shows("No event matches.", "#events")
    page.browser.press(Keys.END)
    assert page.browser.count("#events b") == 2
    assert "until" not in page.browser.text("#when-said")


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
    for width, scheme in itertools.product((360, 1280), ("light", "dark")):
        page.browser.look(width, 900, scheme)
        judge(page, f"lost-{width}-{scheme}")
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


def test_a_chart_shows_the_last_hour_and_a_reload_keeps_it(page):
    one = page.add("users", "users-1")
    page.add("users", "users-2")
    page.opens("#users")
    page.browser.shows("2 ready", "#hour-ready")
    one.process.kill()
    page.browser.shows("1 ready, fewest 0 at ", "#hour-ready")
    page.browser.shows("0 errors", "#hour-errors")
    changes, drawn = page.browser.text("#hour-changes"), page.browser.run(DRAWN)
    assert int(changes.split()[0]) >= 3
    assert drawn[0] and drawn[1] >= 1 and drawn[2] == 0
    wait.until(lambda: changes_in(page.proxy.snapshot, "users") ==
               int(changes.split()[0]), 20, "the snapshot has them")
    worker = str(page.proxy.reload())
    page.browser.shows(f"worker {worker}", "#about")
    page.browser.shows("1 ready", "#hour-ready")
    page.browser.shows(changes, "#hour-changes")
    assert page.browser.run(DRAWN) == drawn
    assert page.browser.run(QUIET) == "2 ready"


def charts(page):
    """Returns what each visible row says of its last hour."""
    return page.browser.run(
        "return Object.fromEntries([...document.querySelectorAll('.row')]"
        ".map((row) => [row.dataset.name, row.querySelector('.spark')])"
        ".map(([name, it]) => [name, it.querySelector('path') &&"
        " it.getBoundingClientRect().width > 40 && it.title]))")


def test_each_row_has_a_small_chart_of_the_last_hour(page):
    one = page.add("users", "users-1")
    page.add("users", "users-2")
    page.opens()
    wait.until(lambda: str(charts(page)["users"]).startswith(
        "The last hour: 2 ready"), 10, "two are ready")
    assert charts(page)["search"].startswith("The last hour: 0 ready")
    one.process.kill()
    wait.until(lambda: charts(page)["users"].startswith(
        "The last hour: 1 ready, fewest 0 at "), 10, "it fell")
    for scheme in ("light", "dark"):
        page.browser.look(320, 900, scheme)
        wait.until(lambda: charts(page)["users"], 10, "a phone has it")
        judge(page, f"charts-320-{scheme}")


# What the agent says of a service or of itself, and what may be asked of it.
QUESTIONS = {
    "2 instances fail HAProxy's check": "failed",
    "1 znode is refused": "invalid",
    "1 instance waits for a slot: one is being added": "waiting",
    "1 instance is not yet as wanted in HAProxy": "pending",
    "3 instances are gone from ZooKeeper at once, kept by the guard":
        "retained",
    "1 instance in maint by an operator": "maint",
    "1 instance draining": "draining",
    "fewer than 2 of zone=a can serve, so zone=b serves too": "prefer",
    "no instance of zone=a can serve, the backups do": "prefer",
    "/x is not read from ZooKeeper yet": "path",
    "/x is no znode in ZooKeeper, and cannot be made": "path",
    "/x cannot be read from ZooKeeper: not authenticated": "path",
    "no instance": "none",
    "no instance, its default_servers are used": "none",
    "frozen by command": "frozen",
    "not configured any more, its slots are emptied": "leaving",
    "the configuration on disk is wrong, and nothing of it is applied":
        "configuration",
    "HAProxy's runtime API does not answer: nothing changes": "runtime",
    "the snapshot cannot be written; the old one stays": "snapshot",
    "HAProxy's worker may not start threads: set `insecure-fork-wanted` in "
    "`global`": "threads",
    "the agent has not turned for 15 s or more: nothing changes": "agent",
    "no connection to ZooKeeper yet (zk:2181): the servers stay as they are":
        "session",
    "ZooKeeper refuses the credentials (zk:2181)": "session",
    "unused": "unused",
}


def test_what_is_wrong_leads_to_an_answer_and_back(page):
    page.add("users", "users-1", weight=0)
    page.opens("#users")
    page.browser.shows("1 instance draining", "#reasons")
    assert {text: page.browser.run("return why(arguments[0]).hash", text)
            for text in QUESTIONS} == {
        text: f"#?{of}" for text, of in QUESTIONS.items()}
    page.browser.click("Why is it draining?")
    page.browser.shows("it keeps its sessions", "#help")
    assert page.browser.run("return document.activeElement.id") == \
        "answer-draining"
    assert page.browser.count("#one") == page.browser.count("#list") == 0
    for scheme in ("light", "dark"):
        page.browser.look(320, 900, scheme)
        judge(page, f"why-320-{scheme}")
    page.browser.press(Keys.ESCAPE)
    page.browser.shows("users: down", "#one-head")
    page.browser.click("Why is it draining?")
    page.browser.shows("it keeps its sessions", "#help")
    page.browser.click("haproxy/OPERATE.md, \u201cAn instance misbehaves\u201d")
    page.browser.shows("# An instance misbehaves", "pre")
    wait.until(lambda: page.browser.run("return scrollY > innerHeight"), 10,
               "the browser shows the section")
    assert page.browser.complaints() == []
    page.opens("#%3Fdraining")
    page.browser.shows("There is no such service here.", "#reasons")


def changes_in(snapshot, name):
    """Returns how many changes of a service a snapshot knows of. A minute has
    five numbers: when it was, ready, the fewest ready, changes and errors."""
    with open(snapshot, encoding="utf-8") as file:
        services = json.loads(file.read().partition("\n")[2])["services"]
    [one] = [it for it in services if it["name"] == name]
    return sum(map(int, one["history"].split()[3::5]))


DRAWN = """return [document.querySelector("#chart-ready path").getBBox().width > 0,
  document.querySelectorAll("#chart-changes rect").length,
  document.querySelectorAll("#chart-errors rect").length]"""
# What is said of a service in which nothing has happened for two hours.
QUIET = """drawReady([{time: hourBegan() - 3600, ready: 2, least: 0}], hourBegan());
return document.querySelector("#hour-ready").textContent"""
NOT_CHANGED = """return performance.getEntriesByType("resource").filter((it) =>
  it.name.includes("status.json?since=") && it.responseStatus === 304).length"""


def test_while_nothing_changes_the_page_is_sent_nothing(page):
    """Answers had an ETag, but the page never sent the one that it had."""
    one = page.add("users", "users-1")
    page.add("users", "users-2")
    page.opens()
    wait.until(lambda: page.cells("users") == ["ready", "ready"], 20, "ready")
    before = page.browser.run(NOT_CHANGED)
    wait.until(lambda: page.browser.run(NOT_CHANGED) > before + 1, 20,
               "304 is the answer")
    assert page.browser.text("#live") == "live"
    one.process.kill()
    wait.until(lambda: page.cells("users") == ["failed", "ready"], 10, "failed")


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


def test_a_session_that_is_gone_is_told_before_all_else(
        sandbox, path, browser):
    server = sandbox.zookeeper()
    server.client().ensure_path(f"{path}/users")
    page = Page(sandbox, server.client(), path,
                [web(server, f"{path}/users", name="users")], browser)
    page.add("users", "users-1")
    page.opens()
    page.browser.shows("The service is whole", "#verdict")
    server.freeze()
    page.browser.shows("No answer from ZooKeeper", "#verdict h2", 30)
    assert page.browser.run(
        "return document.querySelector('#verdict').className") == "bad"
    page.browser.shows("no answer", "#ensembles")
    assert page.cells("users") == ["ready"]
    page.browser.picture("no-zookeeper")
    server.thaw()
    wait.until(lambda: "No answer" not in page.browser.text("#verdict"), 30,
               "the session is there again")
    page.browser.shows("connected", "#ensembles")


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
    for view, (of, selector) in VIEWS.items():
        page.opens(of)
        page.browser.shows("users", selector)
        page.browser.run("document.querySelectorAll('details').forEach("
                         "(it) => { it.open = true })")
        for width, scheme in itertools.product(SIZES, ("light", "dark")):
            page.browser.look(width, 900, scheme)
            judge(page, f"{view}-{width}-{scheme}")
    page.opens()
    page.browser.run("document.querySelector('#kind').value = 'worse';"
                     "document.querySelector('#kind').dispatchEvent("
                     "new Event('change'))")
    page.browser.shows("failed", "#events")
    assert "absent \u2192 ready" not in page.browser.text("#events")
    page.browser.press("/", "nobody")
    page.browser.shows("No service matches.")
    judge(page, "nothing-2000-dark")
    assert page.browser.complaints() == []
