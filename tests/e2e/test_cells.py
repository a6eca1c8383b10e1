"""The cells of the status page: every event in an instance's life leads to a
state there, and each state has a colour and a shape of its own."""

import itertools

import pytest

import wait
from haproxy import web
from page import Page
from test_guard import join, leave
from zookeeper import register

STATES = ("ready", "failed", "invalid", "waiting", "pending", "retained",
          "draining", "maint")
WINDOW = 1    # seconds that the guard looks back
SCALE = 4     # pixels of a picture for one of the page

# The pixels of a picture: [red, green, blue] of each.
PIXELS = """
const done = arguments[1], image = new Image();
image.onload = () => {
  const canvas = document.createElement("canvas");
  canvas.width = image.width; canvas.height = image.height;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const data = context.getImageData(0, 0, image.width, image.height).data;
  const list = [];
  for (let i = 0; i < data.length; i += 4)
    list.push([data[i], data[i + 1], data[i + 2]]);
  done(list);
};
image.src = "data:image/png;base64," + arguments[0];"""

# The position of the first mark of a state.
PLACE = """
const it = document.querySelector(`.cells i.${arguments[0]}`) ||
  document.querySelector(`#legend i.${arguments[0]}`);
it.scrollIntoView({block: "center"});
const box = it.getBoundingClientRect();
return [box.x + scrollX, box.y + scrollY, box.width, box.height];"""


def far(one, other):
    """Returns the distance between two colours."""
    return sum((a - b) ** 2 for a, b in zip(one, other)) ** 0.5


class Mark:
    """The picture of a state: the pixels that are not background, and their
    most frequent colour."""

    def __init__(self, browser, state):
        x, y, width, height = browser.run(PLACE, state)
        png = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True, "clip": {
                "x": x - 1, "y": y - 1, "width": width + 2,
                "height": height + 2, "scale": SCALE}})["data"]
        pixels = [tuple(it) for it in
                  browser.driver.execute_async_script(PIXELS, png)]
        self.shape = [far(it, pixels[0]) > 60 for it in pixels]
        inked = [it for it, ink in zip(pixels, self.shape) if ink]
        self.colour = max(set(inked), key=inked.count)

    def differs(self, other):
        """Returns the share of the ink pixels that only one of the two marks
        has."""
        return sum(a != b for a, b in zip(self.shape, other.shape)) / len(
            self.shape)


@pytest.fixture
def page(sandbox, healthy, witness, path, browser):
    def backend(name, **more):
        witness.ensure_path(f"{path}/{name}")
        return web(healthy, f"{path}/{name}", name=name, **more)
    return Page(sandbox, witness, path, [
        backend("users"), backend("search", service={
            "guard": {"window": WINDOW, "hold": 60}}),
        backend("checkout", slots=1, haproxy={"server_options": None})],
        browser)


def retain(page):
    """Removes most instances of a service from ZooKeeper at once while they
    keep running."""
    crowd = page.sandbox.crowd("crowd", 4).members
    nodes = join(page.client, f"{page.path}/search", crowd)
    wait.until(lambda: page.cells("search") == ["ready"] * 4, 10, "ready")
    wait.always(lambda: page.cells("search") == ["ready"] * 4, WINDOW + 0.5,
                "they have been there for a window")
    leave(page.client, nodes[:3])
    wait.until(lambda: page.cells("search") == [*["retained"] * 3, "ready"],
               10, "three are retained")


def operate(page, one, state):
    """Gives an operator's command."""
    [slot] = [name for name, row in page.proxy.servers("users").items()
              if row["addr"] == one.address]
    page.proxy.ask(f"set server users/{slot} state {state}")


def test_each_state_is_a_cell_of_its_own(page):
    page.opens()
    some = [page.add("users", f"users-{n}") for n in range(4)]
    page.add("users", "light", weight=0)
    for n in range(2):
        page.add("checkout", f"checkout-{n}")
    register(page.client, f"{page.path}/users", b"rubbish", "bad_")
    wait.until(lambda: page.cells("users") == [
        "invalid", "draining", *["ready"] * 4], 10, "weight 0 drains")
    operate(page, some[0], "drain")
    operate(page, some[1], "maint")
    some[2].process.kill()
    wait.until(lambda: page.cells("users") == [
        "failed", "invalid", "maint", "draining", "draining", "ready"], 10,
        "each has its state")
    wait.until(lambda: page.cells("checkout") == ["waiting", "ready"], 10,
               "one has no slot")
    retain(page)
    for scheme in ("light", "dark"):
        page.browser.look(1280, 900, scheme)
        marks = {state: Mark(page.browser, state) for state in STATES}
        for one, other in itertools.combinations(STATES, 2):
            both = f"{one} and {other}, {scheme}"
            assert far(marks[one].colour, marks[other].colour) > 40, both
            assert marks[one].differs(marks[other]) > 0.08, both
        page.browser.run("scrollTo(0, 0)")
        page.browser.picture(f"states-1280-{scheme}")
    page.opens("#users")
    page.browser.shows(f"{some[0].address} draining", "#instances")
    page.browser.shows("drain by an operator", "#instances")
    page.browser.shows("weight 0", "#instances")
    page.browser.shows(f"{some[1].address} maint", "#instances")
    page.browser.shows("maint by an operator", "#instances")
    operate(page, some[0], "ready")
    page.browser.shows(f"{some[0].address} ready", "#instances", 2)


def test_what_an_operator_does_to_a_dead_server_is_seen_as_soon(page):
    one = page.add("users", "users-1")
    page.opens()
    wait.until(lambda: page.cells("users") == ["ready"], 10, "ready")
    one.process.kill()
    wait.until(lambda: page.cells("users") == ["failed"], 10, "failed")
    for state, cell in (("maint", "maint"), ("ready", "failed")):
        operate(page, one, state)
        wait.until(lambda cell=cell: page.cells("users") == [cell], 2, cell)
