"""nerves: many nerves come back to one ZooKeeper at once.

    tests/bench/run.py nerves

NERVES nerves have EACH services each. At first the server is down, so that all
register together. Then it goes and comes back, as in bench_fleet.py: with all
sessions; after all sessions have expired; without data. The figures are how
long it takes until every service is registered, the longest that somebody
else's write takes meanwhile, and how many sessions expired without need.
"""

import json
import os
import re
import signal
import statistics
import time

import address
import program
import wait
from bench_nerve import ANSWERER
from figures import Figure

DEADLINE = 400
NERVES = 1000
EACH = 20
SERVICES = 100
TIMEOUT = 10     # seconds of a session: the longest that this server grants
PATIENCE = 100
INTERVAL = 20    # seconds between two checks: those are another benchmark's
ROOT = "/bench/nerves"
STRANGER = "/bench/stranger"
UP = "s\\d+: instance .* -> up"
EXPIRED = "session expired"


def run(sandbox):
    server = sandbox.zookeeper()
    client = server.client()
    for n in range(SERVICES):
        client.ensure_path(f"{ROOT}/s{n}")
    before = _nodes(server)
    client.stop()
    server.stop()
    nerves = Nerves(sandbox, server, before)
    for what, due, happen in (
            ("start", 0, server.start),
            ("reconnect", 0, lambda: _restart(server)),
            ("expiry", NERVES, lambda: _expire(server, nerves)),
            ("wipe", NERVES, lambda: _wipe(server))):
        yield from _measure(what, nerves, server, due, happen)
    yield Figure("nerves", "memory", nerves.megabytes(), "MB")


class Nerves:
    """The nerves, on one machine, with a port that they all check."""

    def __init__(self, sandbox, server, before):
        self._server = server
        self._before = before
        port = address.port()
        sandbox.run("answerer", ["haproxy", "-db", "-f", sandbox.write(
            "answerer.cfg", ANSWERER.format(address.HOST, port))])
        self._processes = [
            sandbox.run(f"nerve-{n}", [program.NERVE, "-c", sandbox.write(
                f"nerve-{n}.json", _configuration(n, server.hosts, port))])
            for n in range(NERVES)]
        sandbox.at_end(self._kill)
        for process in self._processes:
            wait.until(lambda: len(process.lines(UP)) >= EACH, PATIENCE,
                       f"{process.name} has checked all")

    def _kill(self):
        for process in self._processes:
            os.kill(process.pid, signal.SIGKILL)

    def freeze(self):
        for process in self._processes:
            process.freeze()

    def thaw(self):
        for process in self._processes:
            process.thaw()

    def are_registered(self):
        """Tells whether all are connected, with all services registered."""
        return self._server.connections() >= NERVES and \
            _nodes(self._server) >= self._before + NERVES * EACH

    def expired(self):
        """How many sessions have expired until now."""
        return sum(len(it.lines(EXPIRED)) for it in self._processes)

    def megabytes(self):
        """The memory that one shares with no other, in the middle."""
        return statistics.median(_private(it.pid) for it in self._processes)


def _configuration(number, hosts, port):
    return json.dumps({
        "instance_id": f"n{number}", "session_timeout": TIMEOUT, "services": {
            f"s{n}": {"host": address.HOST, "port": port, "zk_hosts": [hosts],
                      "zk_path": f"{ROOT}/s{(number * EACH + n) % SERVICES}",
                      "check_interval": INTERVAL,
                      "checks": [{"type": "tcp", "timeout": 5}]}
            for n in range(EACH)}})


def _nodes(server):
    found = re.search(r"^Node count: (\d+)$", server.command("srvr"), re.M)
    return int(found[1]) if found else 0


def _private(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file
                   if line.startswith("Private")) / 1024


def _measure(what, nerves, server, due, happen):
    """The figures of one event, in which `due` sessions have to expire."""
    lost = nerves.expired()
    happen()
    start, client, longest = time.monotonic(), server.client(), 0
    client.ensure_path(STRANGER)
    while not nerves.are_registered():
        if time.monotonic() > start + PATIENCE * wait.FACTOR:
            raise wait.Late(f"{what}: {_nodes(server)} znodes, "
                            f"{server.connections()} connections")
        asked = time.monotonic()
        client.set(STRANGER, b"{}")
        longest = max(longest, time.monotonic() - asked)
    yield Figure("nerves", f"{what}_all", time.monotonic() - start, "s")
    yield Figure("nerves", f"{what}_write", longest, "s", most=2)
    yield Figure("nerves", f"{what}_lost", nerves.expired() - lost - due,
                 "sessions", most=0)
    client.stop()


def _restart(server):
    server.stop()
    server.start()


def _expire(server, nerves):
    """The nerves are away until their sessions are over."""
    nerves.freeze()
    wait.until(lambda: len(server.sessions()) <= 1, PATIENCE,
               "the sessions are over")
    nerves.thaw()


def _wipe(server):
    server.stop()
    server.wipe()
    server.start()
