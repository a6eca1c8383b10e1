"""The status page, open in a browser."""

import wait
from zookeeper import register


class Page:
    """A HAProxy whose page is open in a browser, with services that a test may
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
        """Adds an instance to a service."""
        made = self.sandbox.service(name)
        register(self.client, f"{self.path}/{backend}",
                 made.payload(name, **more))
        return made

    def opens(self, of=""):
        self.browser.open(self.url + of)
        wait.until(lambda: self.browser.text("#live") == "live", 20,
                   "the page is live")

    def cells(self, name):
        """Returns the states that the cells of a service's instances show."""
        return self.browser.run(
            "return [...document.querySelectorAll('#list .row')]"
            ".filter((it) => it.dataset.name === arguments[0])"
            ".flatMap((it) => [...it.querySelectorAll('.cells i')]"
            ".map((cell) => cell.className))", name)

    def rows(self):
        """Returns the names of the visible services, in order."""
        return self.browser.run(
            "return [...document.querySelectorAll('#list .row')]"
            ".filter((it) => it.offsetParent).map((it) => it.dataset.name)")
