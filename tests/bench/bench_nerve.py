"""nerve: what checks cost, and whether they start in time.

One nerve has as many services as http checks per second. One HAProxy answers
all checks, and one ZooKeeper has all registrations. In turn with nerve the
floor (checks.c) makes the same number of requests. Both are measured from
outside: the processor time of all threads, and the resident memory.
"""

import os
import statistics
import subprocess
import time
import typing

import address
import processor
import program
import wait
from figures import Figure
from metrics import Pages

DEADLINE = 120
RATES = (1, 100, 1000, 2000)  # checks a second
PAIRS = 5                     # looks at nerve and the floor, in turns
SECONDS = 2                   # of each look
PERCENT = {1000: 10}          # of a core: what is hoped for
MEGABYTES = {1000: 16}        # resident: the same
LATE = "nerve_check_late_seconds"

ANSWERER = """global
    maxconn 4000
defaults
    mode http
    timeout client 5s
frontend answerer
    bind {}:{}
    http-request return status 200 content-type text/plain string OK
"""


def run(sandbox):
    """Measures every rate; yields the figures."""
    zookeeper = sandbox.zookeeper()
    port = address.port()
    sandbox.run("answerer", ["haproxy", "-db", "-f", sandbox.write(
        "answerer.cfg", ANSWERER.format(address.HOST, port))])
    floor = Floor(sandbox, port)
    for rate in RATES:
        yield from _measure(sandbox, zookeeper, port, floor, rate)


class Floor:
    """The program that makes the same requests."""

    def __init__(self, sandbox, port):
        self._child = subprocess.Popen(
            [os.path.join(program.BUILD, "bench", "checks"), address.HOST,
             str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        sandbox.at_end(self._close)

    def _close(self):
        self._child.stdin.close()
        self._child.wait()
        self._child.stdout.close()

    def look(self, rate):
        """What one look found at `rate` requests a second."""
        self._child.stdin.write(f"{rate} {SECONDS}\n")
        self._child.stdin.flush()
        used, made, late, often = map(int, self._child.stdout.readline().split())
        return Look(used / made * rate / 1e4, late / 1000, 100 * often / made)

    def megabytes(self):
        return _megabytes(self._child.pid)


class Look(typing.NamedTuple):
    """What the floor takes, and how late it is."""
    percent: float  # of a core
    late_ms: float  # on average
    share: float    # percent of the requests, late by more than 50 ms


def _measure(sandbox, zookeeper, port, floor, rate):
    pages = Pages()
    nerve = sandbox.nerve(f"at-{rate}", {
        f"s{n}": {"host": address.HOST, "port": port,
                  "zk_hosts": [zookeeper.hosts],
                  "zk_path": f"/bench/nerve/{rate}/{n}", "check_interval": 1,
                  "checks": [{"type": "http", "uri": "/health",
                              "timeout": 0.5}]}
        for n in range(rate)}, session_timeout=10, metrics_listen=pages.listen)
    wait.until(lambda: pages.ask("/health")[0] == 200, 60,
               f"{rate} services are registered")
    before = pages.samples()
    pairs = [(_percent(nerve.process.pid), floor.look(rate))
             for _ in range(PAIRS)]
    after = pages.samples()
    memory = _megabytes(nerve.process.pid)
    nerve.process.stop(seconds=30)
    ours, looks = zip(*pairs)
    used, late, share = map(statistics.median, zip(*looks))
    yield Figure("nerve", f"cpu_{rate}", statistics.median(ours), "%", used,
                 most=PERCENT.get(rate))
    yield Figure("nerve", f"rss_{rate}", memory, "MB", floor.megabytes(),
                 most=MEGABYTES.get(rate))
    yield from _lateness(rate, before, after, late, share)
    yield Figure("nerve", f"failed_{rate}", sum(
        value for (name, labels), value in after.items()
        if name == "nerve_checks_total" and '"failed"' in labels), "checks")


def _lateness(rate, before, after, floor_late, floor_share):
    """How late passes started, and how many did so by more than 50 ms or not
    at all."""
    def grown(name, labels=""):
        return after[name, labels] - before[name, labels]

    passes = grown(f"{LATE}_count")
    bad = passes - grown(f"{LATE}_bucket", 'le="0.05"') + grown(
        "nerve_checks_left_out_total")
    yield Figure("nerve", f"late_{rate}_mean",
                 1000 * grown(f"{LATE}_sum") / passes, "ms", floor_late)
    yield Figure("nerve", f"late_{rate}_share", 100 * bad / passes, "%",
                 floor_share)


def _percent(pid):
    """Of a core, by all threads of a process, over a look."""
    used, start = processor.used(pid), time.monotonic()
    time.sleep(SECONDS)
    return 100 * (processor.used(pid) - used) / (time.monotonic() - start)


def _megabytes(pid):
    with open(f"/proc/{pid}/status") as file:
        line = next(line for line in file if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
