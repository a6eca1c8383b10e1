"""How much the status page costs other traffic: 1,000 services of 10.

One client asks a frontend of its own, one request at a time, 500 a second,
while nobody looks, while somebody looks at the page, and while all of
status.json is fetched again and again.
"""

import http.client
import threading
import time

import address
import wait
from figures import Figure, percentile
from haproxy import web
from service import compact

SERVICES = 1000
INSTANCES = 10
SECONDS = 10
RATE = 500
SEEN = 30   # services on the screen


class Measured:
    """A HAProxy with many services, and a frontend that answers by itself."""

    def __init__(self, sandbox):
        server = sandbox.zookeeper()
        client = server.client()
        self._register(client)
        self.port = address.port()
        self.proxy = sandbox.haproxy([web(
            server, f"/s/{n:04}", name=f"service-{n:04}", slots=INSTANCES,
            server="", haproxy={}) for n in range(SERVICES)], status=True,
            start=False)
        with open(self.proxy.file, "a") as file:
            file.write(f"\nfrontend plain\n  bind {address.HOST}:{self.port}\n"
                       "  http-request return status 200\n")
        self.proxy.start()
        wait.until(lambda: b'"whole":1000' in self.fetch("/status.json?limit=1"
                                                         )[0], 120, "whole")

    @staticmethod
    def _register(client):
        client.ensure_path("/s")
        for start in range(0, SERVICES, 100):
            transaction = client.transaction()
            for n in range(start, start + 100):
                transaction.create(f"/s/{n:04}")
                for port in range(INSTANCES):
                    transaction.create(
                        f"/s/{n:04}/i_{port:010}",
                        compact({"host": "127.0.0.1", "port": 9 + port}))
            transaction.commit()

    def fetch(self, path):
        """The body of an answer, and the seconds it took."""
        start = time.monotonic()
        connection = http.client.HTTPConnection(
            address.HOST, self.proxy.status_port, timeout=60)
        connection.request("GET", path)
        body = connection.getresponse().read()
        connection.close()
        return body, time.monotonic() - start

    def latencies(self, meanwhile):
        """Seconds of requests, while `meanwhile()` is done again and again.
        """
        ending = threading.Event()
        thread = threading.Thread(target=_repeat, args=(meanwhile, ending))
        thread.start()
        try:
            return list(self._stream())
        finally:
            ending.set()
            thread.join()

    def _stream(self):
        connection = http.client.HTTPConnection(address.HOST, self.port)
        connection.connect()
        start = time.monotonic()
        for number in range(RATE * SECONDS):
            time.sleep(max(0, start + number / RATE - time.monotonic()))
            sent = time.monotonic()
            connection.request("GET", "/")
            connection.getresponse().read()
            yield time.monotonic() - sent
        connection.close()


def _repeat(action, ending):
    while not ending.is_set():
        action()


def p99(latencies):
    return percentile(latencies, 0.99) * 1000


def run(sandbox):
    site = Measured(sandbox)
    body, took = site.fetch("/status.json")
    cursor = body.partition(b'"cursor":"')[2].partition(b'"')[0].decode()

    seen = "&".join(f"service=service-{n:04}" for n in range(SEEN))

    def look():
        site.fetch(f"/status.json?since={cursor}")
        site.fetch(f"/status.json?counters=1&instances=0&{seen}")
        time.sleep(1)

    alone = p99(site.latencies(lambda: time.sleep(0.1)))
    return [
        Figure("status", "all of status.json", took, "s"),
        Figure("status", "its size", len(body) / 1e6, "MB"),
        Figure("status", "p99 of others, nobody looks", alone, "ms"),
        Figure("status", "p99 of others, the page is open",
               p99(site.latencies(look)), "ms", alone),
        Figure("status", "p99 of others, all of it without a pause",
               p99(site.latencies(lambda: site.fetch("/status.json"))), "ms",
               alone),
    ]
