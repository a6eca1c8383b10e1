"""status: what the status page costs traffic, with 1,000 services of 10.

One client sends 500 requests per second to a frontend of its own, one at a
time. In turn nobody reads the status, and somebody reads the page, the
metrics, or all of status.json without a pause. The reader is another process.
`cpu` is the worker's processor time without other traffic. The floor of all of
status.json is HAProxy's own list of its servers, `show stat`.
"""

import contextlib
import http.client
import time

import address
import processor
import wait
from figures import Figure, percentile
from fleet import Fleet

DEADLINE = 110
SERVICES = 1000
INSTANCES = 10   # of each
PAIRS = 3
SECONDS = 3      # of each look
RATE = 500       # requests a second
SEEN = 30        # services on the screen
AIM = 1          # ms, the p99 of others while the page is open


class Site:
    """A HAProxy with many services, and a frontend that answers by itself."""

    def __init__(self, sandbox):
        self._sandbox = sandbox
        server = sandbox.zookeeper()
        fleet = Fleet(server.client(), "/bench/status", {
            f"service-{n:04}": INSTANCES for n in range(SERVICES)})
        self._port = address.port()
        self.proxy = sandbox.haproxy(
            fleet.backends(server.addresses), status=True, after=[
                "frontend plain", f"  bind {address.HOST}:{self._port}",
                "  http-request return status 200"])
        wait.until(lambda: b'"whole":1000' in self.fetch(
            "/status.json?limit=1"), 120, "all are whole")
        [self._worker] = self.proxy.workers()

    def fetch(self, path):
        """The body of an answer of the agent."""
        connection = http.client.HTTPConnection(
            address.HOST, self.proxy.status_port, timeout=60)
        connection.request("GET", path)
        body = connection.getresponse().read()
        connection.close()
        return body

    @contextlib.contextmanager
    def looked_at(self, paths, pause):
        """Somebody asks for `paths` meanwhile, again after `pause` seconds."""
        base = f"http://{address.HOST}:{self.proxy.status_port}"
        wanted = " ".join(f"-o /dev/null '{base}{path}'" for path in paths)
        eyes = self._sandbox.run("eyes", [
            "sh", "-c", f"while curl -sf {wanted}; do sleep {pause}; done"])
        try:
            yield
            assert eyes.alive(), "nobody looked"
        finally:
            eyes.kill()

    def latencies(self):
        """Milliseconds of requests to the plain frontend."""
        connection = http.client.HTTPConnection(address.HOST, self._port)
        connection.connect()
        start = time.monotonic()
        for number in range(RATE * SECONDS):
            time.sleep(max(0, start + number / RATE - time.monotonic()))
            sent = time.monotonic()
            connection.request("GET", "/")
            connection.getresponse().read()
            yield 1000 * (time.monotonic() - sent)
        connection.close()

    def cpu(self):
        """Milliseconds of a processor in a second."""
        used, start = processor.used(self._worker), time.monotonic()
        time.sleep(SECONDS)
        return 1000 * (processor.used(self._worker) - used) / (
            time.monotonic() - start)


def _compare(site, name, paths, pause, most=None):
    """The p99 of others, with somebody who looks and without, and what the
    looks cost."""
    alone, looked = [], []
    for _ in range(PAIRS):
        alone += site.latencies()
        with site.looked_at(paths, pause):
            looked += site.latencies()
    idle = site.cpu()
    with site.looked_at(paths, pause):
        busy = site.cpu()
    yield Figure("status", f"{name}_p99", percentile(looked, 0.99), "ms",
                 percentile(alone, 0.99), most=most)
    yield Figure("status", f"{name}_cpu", busy, "ms/s", idle)


def run(sandbox):
    site = Site(sandbox)
    whole = []
    took = wait.elapsed(lambda: whole.append(site.fetch("/status.json")))
    cursor = whole[0].partition(b'"cursor":"')[2].partition(b'"')[0].decode()
    seen = "&".join(f"service=service-{n:04}" for n in range(SEEN))
    page = [f"/status.json?since={cursor}",
            f"/status.json?counters=1&instances=0&{seen}"]
    listed = []
    floor = wait.elapsed(lambda: listed.append(site.proxy.ask("show stat")))
    yield Figure("status", "all", took, "s", floor)
    yield Figure("status", "all_size", len(whole[0]) / 1e6, "MB",
                 len(listed[0]) / 1e6)
    yield from _compare(site, "page", page, 1, AIM)
    yield from _compare(site, "metrics", ["/metrics"], 1)
    yield from _compare(site, "all", ["/status.json"], 0)
