"""A real browser (Debian's Chromium, headless), driven by Selenium."""

import os
import shutil
import subprocess

from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException, StaleElementReferenceException)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

import program
import wait

AXE = "build/axe/node_modules/axe-core/axe.min.js"
SCREENS = os.path.join(program.ROOT, "build", "screens")

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars",
         "--remote-debugging-pipe"]

# The rules that axe-core checks: the levels that a law or a standard may
# require, and its own best practices.
JUDGE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then((found) =>
  done(found.violations.map((it) => it.id + ": " + it.help + ": " +
    it.nodes.map((node) => node.html.slice(0, 200)).join(" | "))));
"""


def _axe():
    """Returns the program axe-core, which is downloaded on first use. Without
    a network only the tests that use it fail."""
    done = subprocess.run(["make", "-s", AXE], cwd=program.ROOT, text=True,
                          capture_output=True, check=False,
                          timeout=120 * wait.FACTOR)
    assert done.returncode == 0, f"no axe-core:\n{done.stdout}{done.stderr}"
    with open(os.path.join(program.ROOT, AXE), encoding="utf-8") as file:
        return file.read()


class Browser:
    """One browser with one page."""

    def __init__(self, sandbox):
        self._profile = sandbox.path("chromium")
        options = webdriver.ChromeOptions()
        for flag in [*FLAGS, f"--user-data-dir={self._profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(
            options=options,
            service=Service("/usr/bin/chromedriver"))
        sandbox.at_end(self.close)
        self._devtools("Performance.enable", timeDomain="threadTicks")
        self.look()

    def clear(self):
        """Leaves the page and resets its size and its error messages."""
        self.open("about:blank")
        self.complaints()
        self.look()

    def look(self, width=1280, height=900, scheme="light"):
        """Sets the page's size and the reader's preferences."""
        self._devtools("Emulation.setDeviceMetricsOverride", width=width,
                       height=height, deviceScaleFactor=1, mobile=False)
        self._devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def _devtools(self, command, **arguments):
        self.driver.execute_cdp_cmd(command, arguments)

    def open(self, url):
        self.driver.get(url)

    def run(self, script, *arguments):
        """Returns the result of a script."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector="main"):
        """Returns the text of the first element of a kind."""
        return self.run("const it = document.querySelector(arguments[0]);"
                        "return it ? it.innerText : ''", selector)

    def shows(self, text, selector="main", seconds=10):
        """Waits until an element shows `text`."""
        wait.until(lambda: text in self.text(selector), seconds,
                   f"{selector} says {text!r}")

    def count(self, selector):
        """Returns how many elements of a kind are visible."""
        return self.run("return [...document.querySelectorAll(arguments[0])]"
                        ".filter((it) => it.offsetParent).length", selector)

    def _act(self, action, what):
        """Does `action`, again if the page was drawn in the middle of it:
        its element is another one then."""
        def done():
            try:
                action()
            except (NoSuchElementException, StaleElementReferenceException):
                return False
            return True
        wait.until(done, 20, what)

    def press(self, *keys):
        """Types a key into whatever has the focus."""
        for key in keys:
            self._act(
                lambda key=key:
                self.driver.switch_to.active_element.send_keys(key),
                "a key is pressed")

    def type(self, selector, text):
        self._act(
            lambda: self.driver.find_element(
                By.CSS_SELECTOR, selector).send_keys(text),
            f"{text} is typed into {selector}")

    def click(self, text):
        """Follows the first link with this text."""
        self._act(
            lambda: self.driver.find_element(By.LINK_TEXT, text).click(),
            f"the link {text} is followed")

    def processor_time(self):
        """Returns for how many seconds the page's thread has worked."""
        told = self.driver.execute_cdp_cmd("Performance.getMetrics", {})
        return next(it["value"] for it in told["metrics"]
                    if it["name"] == "TaskDuration")

    def judge(self):
        """Returns what axe-core finds wrong."""
        self.run(_axe())
        return self.driver.execute_async_script(JUDGE)

    def complaints(self):
        """Returns the browser's own error messages."""
        return [line["message"] for line in self.driver.get_log("browser")]

    def picture(self, name):
        """Writes a picture of the page to build/screens."""
        os.makedirs(SCREENS, exist_ok=True)
        self.driver.save_screenshot(os.path.join(SCREENS, f"{name}.png"))

    def close(self):
        self.driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)
