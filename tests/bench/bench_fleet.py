"""fleet: many agents come back to one ZooKeeper at once.

    tests/bench/run.py fleet

AGENTS agents without HAProxy (fleet.lua) read SERVICES services of INSTANCES
instances each. Three times the server goes and comes back: with all sessions;
after all sessions have expired; without data, so that everything is registered
again. Each time an instance is registered as soon as the server answers. The
figures are how long it takes until all agents know this instance, how long
until all have read everything again, and how many sessions expired without
need.
"""

import os
import random
import time

import program
import wait
from figures import Figure
from fleet import Fleet

DEADLINE = 400
AGENTS = 100
SERVICES = 100
INSTANCES = 10
TIMEOUT = 10     # seconds of a session: the longest that this server grants
PATIENCE = 200
PROGRAM = os.path.join(os.path.dirname(os.path.realpath(__file__)), "fleet.lua")


class Agents:
    """fleet.lua at work on all paths of `fleet`."""

    def __init__(self, sandbox, hosts, fleet):
        paths = [f"{fleet.path}/{name}" for name in fleet.services]
        self._process = sandbox.run(
            "agents", [program.LUA, PROGRAM, hosts, str(AGENTS), str(TIMEOUT),
                       *paths],
            env={**os.environ,
                 "LUA_PATH": os.path.join(program.ROOT, "lua", "?.lua;;"),
                 "LUA_CPATH": f"{os.path.dirname(program.MODULE)}/?.so;;"})

    def freeze(self):
        self._process.freeze()

    def thaw(self):
        self._process.thaw()

    def _after(self, pattern, since):
        return [float(line.split()[1])
                for line in self._process.lines(pattern)
                if float(line.split()[1]) >= since]

    def ready(self, since):
        """Waits until all agents have read everything; returns when."""
        def found():
            last = self._process.lines("^(ready|unsettled) ")[-1:]
            return last and last[0].startswith("ready ") and \
                self._after("^ready ", since)[-1:]
        return wait.until(found, PATIENCE, "all agents have read all")[0]

    def unsettled(self, since):
        wait.until(lambda: self._after("^unsettled ", since), PATIENCE,
                   "the agents have lost something")

    def seen(self, key):
        """Waits until all agents know of an instance; returns when."""
        line = wait.until(
            lambda: [it for it in self._process.lines("^seen ")
                     if it.split()[2] == key], PATIENCE, f"all know of {key}")
        return float(line[0].split()[1])

    def expired(self):
        """How many sessions have expired until now."""
        lines = self._process.lines("^expired ")
        return int(lines[-1].split()[2]) if lines else 0


class Marker:
    """Instances that are registered by the way. Each has an address of its
    own."""

    def __init__(self, fleet):
        self._fleet = fleet
        self._last = 0

    def register(self):
        """Registers one; returns its key and when that was done."""
        self._last += 1
        host = f"10.99.0.{self._last}"
        service = random.choice(list(self._fleet.services))
        client = self._fleet.client
        client.retry(
            client.create, f"{self._fleet.path}/{service}/m_{self._last}",
            f'{{"host": "{host}", "port": 80}}'.encode(), makepath=True)
        return f"{host}:80", time.monotonic()


def run(sandbox):
    server = sandbox.zookeeper()
    fleet = Fleet(server.client(), "/bench/fleet",
                  {f"s{n}": INSTANCES for n in range(SERVICES)})
    start = time.monotonic()
    agents = Agents(sandbox, server.hosts, fleet)
    yield Figure("fleet", f"start_{AGENTS}", agents.ready(start) - start, "s")
    marker = Marker(fleet)
    yield from _measure("reconnect", agents, marker, 0,
                        lambda: (server.stop(), server.start()))
    yield from _measure("expiry", agents, marker, AGENTS,
                        lambda: _expire(server, agents))
    yield from _measure("wipe", agents, marker, AGENTS,
                        lambda: _wipe(server, agents, fleet))


def _measure(what, agents, marker, due, happen):
    """The figures of one event, in which `due` sessions have to expire."""
    before, begun = agents.expired(), time.monotonic()
    happen()
    key, start = marker.register()
    yield Figure("fleet", f"{what}_change", agents.seen(key) - start, "s",
                 most=2)
    agents.unsettled(begun)
    yield Figure("fleet", f"{what}_all", agents.ready(start) - start, "s")
    yield Figure("fleet", f"{what}_lost", agents.expired() - before - due,
                 "sessions", most=0)


def _expire(server, agents):
    """The agents are away until their sessions are over."""
    agents.freeze()
    wait.until(lambda: len(server.sessions()) == 1, PATIENCE,
               "the sessions are over")
    agents.thaw()


def _wipe(server, agents, fleet):
    begun = time.monotonic()
    server.stop()
    server.wipe()
    server.start()
    agents.unsettled(begun)
    fleet.register_again(server.client())
