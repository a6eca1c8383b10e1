"""change: what one change takes of the worker's processor time.

The same changes are made in turn to two services. The agent follows one of
them; follow.c follows the other and sends the same commands to a HAProxy
without the agent. That is the floor: its figure is the time of follow.c and of
its HAProxy.

`rate_*` are moves at several rates in a backend of 100. `add_*`, `drop_*`,
`weight_*` and `move_*` are bursts of one kind, in backends of several sizes.
The time that the worker uses while nothing changes is subtracted. `syscalls`
are counted at a rate at which each change has turns of its own.
"""

import statistics
import time

import processor
import tracing
import wait
from figures import Figure
from fleet import Fleet, state
from follow import Follow

DEADLINE = 120
RATES = (10, 100, 400)            # changes a second
SIZES = (10, 100, 1000, 5000)     # instances of a backend
KINDS = ("add", "drop", "weight", "move")
RATE_SIZE = 100                   # of the backend that is changed at RATES
LOOK = 1                          # seconds of each look at a rate
BURST = 20                        # changes of a kind, at BURST_RATE
BURST_RATE = 100
QUIET = 0.3                       # seconds after which a change is done
PAIRS = 2
COUNTED = 20                      # changes whose system calls are counted
COUNTED_RATE = 10
PATIENCE = 60


def run(sandbox):
    zookeeper = sandbox.zookeeper()
    client = zookeeper.client()
    sides = [_agent(sandbox, zookeeper, client),
             _floor(sandbox, zookeeper, client)]
    for rate in RATES:
        yield _figure(f"rate_{rate}", sides, lambda side, rate=rate: side.cost(
            "move", f"s{RATE_SIZE}", int(rate * LOOK), rate))
    for size in SIZES:
        for kind in KINDS:
            yield _figure(f"{kind}_{size}", sides,
                          lambda side, kind=kind, size=size: side.cost(
                              kind, f"s{size}", BURST, BURST_RATE))
    ours, floor = (side.calls("move", f"s{RATE_SIZE}", COUNTED, COUNTED_RATE)
                   for side in sides)
    yield Figure("change", "syscalls", ours, "a change", floor)


class Side:
    """One HAProxy and the instances that it gets. `used()` returns seconds of
    a processor, `pids` the processes that these are of."""

    def __init__(self, proxy, fleet, used, pids):
        self._proxy, self._fleet, self._used = proxy, fleet, used
        self._pids = pids
        self._settle()
        self._idle = processor.idle_share(used)
        # A burst of these needs room, which the other kind makes.
        self._added = {name: 0 for name in fleet.services}

    def cost(self, kind, name, count, rate):
        """Microseconds of a processor for a change."""
        if kind == "drop" and self._added[name] < count:
            self._make("add", name, count, rate)
        elif kind == "add" and self._added[name] >= count:
            self._make("drop", name, count, rate)
        self._settle()
        start, before = time.monotonic(), self._used()
        self._make(kind, name, count, rate)
        time.sleep(QUIET)
        used = self._used() - before
        idle = self._idle * (time.monotonic() - start)
        return 1e6 * (used - idle) / count

    def calls(self, kind, name, count, rate):
        """System calls for a change."""
        self._settle()
        seconds = count / rate
        busy = [tracing.calls(pid, lambda: self._make(kind, name, count, rate))
                for pid in self._pids]
        idle = [tracing.calls(pid, lambda: time.sleep(seconds))
                for pid in self._pids]
        return (sum(busy) - sum(idle)) / count

    def _make(self, kind, name, count, rate):
        start = time.monotonic()
        for number in range(count):
            time.sleep(max(0, start + number / rate - time.monotonic()))
            getattr(self._fleet, kind)(name)
            self._fleet.commit()
        self._added[name] += {"add": count, "drop": -count}.get(kind, 0)

    def _settle(self):
        """All that was made is in place."""
        wanted = self._fleet.state()
        wait.until(lambda: state(self._proxy) == wanted, PATIENCE,
                   "all is in place")


def _fleet(client, side):
    return Fleet(client, f"/bench/change/{side}",
                 {f"s{size}": size for size in SIZES})


def _backends(fleet, hosts):
    """With room for a burst, and no guard, which a burst of drops looks like
    an accident to."""
    backends = fleet.backends(hosts, guard={"hold": 0})
    for backend in backends:
        backend.slots += BURST
        backend.haproxy = {"use_nerve_weights": True}
    return backends


def _agent(sandbox, zookeeper, client):
    fleet = _fleet(client, "agent")
    proxy = sandbox.haproxy(_backends(fleet, zookeeper.addresses),
                            name="agent")
    [worker] = proxy.workers()
    return Side(proxy, fleet, lambda: processor.used(worker), [worker])


def _floor(sandbox, zookeeper, client):
    fleet = _fleet(client, "floor")
    proxy = sandbox.haproxy(_backends(fleet, []), name="plain", agent=False)
    follow = Follow(sandbox, zookeeper.hosts, proxy, {
        name: f"{fleet.path}/{name}" for name in fleet.services})
    return Side(proxy, fleet, follow.used,
                [follow.process.pid, *proxy.workers()])


def _figure(metric, sides, cost):
    """The median of looks in turn."""
    looks = [[cost(side) for side in sides] for _ in range(PAIRS)]
    ours, floor = map(statistics.median, zip(*looks))
    return Figure("change", metric, ours, "us", floor)
