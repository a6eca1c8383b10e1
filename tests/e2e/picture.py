"""Makes the README's picture of the status page from the running demo.

    make picture                  haproxy/status.png
    make picture PICTURE=FILE

The demo has two instances of service_a and one of service_b. Before the picture
is taken, an operator drains one of service_a, and the one of service_b dies.
"""

import os
import re
import subprocess
import sys

import program
import wait
from browser import Browser
from sandbox import Sandbox

WIDTH, HEIGHT = 1080, 560
A1, B1 = "service_a_node_1", "service_b_node_1"


class Demo:
    """The demo on addresses of its own. Its page is that of the machine which
    the demo sends its requests through."""

    def __init__(self, network):
        self.network = network
        self.url = f"http://{network}.103:3215/"

    def do(self, *words):
        """Runs demo/smartstack, which must succeed."""
        done = subprocess.run(
            [os.path.join(program.ROOT, "demo", "smartstack"), *words],
            env={**os.environ, "DEMO_NETWORK": self.network}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=200 * wait.FACTOR, check=False)
        assert done.returncode == 0, done.stdout


def take(sandbox, network, file):
    """Runs the demo and writes the picture to `file`."""
    demo = Demo(network)
    sandbox.at_end(lambda: demo.do("down"))
    demo.do("up")
    demo.do("ctl", A1, "weight", "service_a", "0", "--reason", "deploy")
    demo.do("crash", B1, "service")
    demo.do("wait", B1, "out")
    demo.do("call", B1, "service_a", "-n", "20")
    browser = Browser(sandbox)
    browser.look(WIDTH, HEIGHT)
    browser.open(demo.url)
    browser.shows("1 down", "#verdict", 20)
    browser.shows("1 instance draining", "#list", 20)
    browser.shows("live", "#live", 20)
    wait.until(lambda: re.search(r"1/8\s+\d", browser.text("#list")), 20,
               "it shows counters")
    browser.driver.save_screenshot(file)


def main(file, network="127.0.7"):
    sandbox = Sandbox()
    try:
        take(sandbox, network, file)
    finally:
        troubles = sandbox.close()
        sandbox.remove()
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
