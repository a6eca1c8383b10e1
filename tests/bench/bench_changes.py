"""changes: what a change costs ZooKeeper, and what it leaves in the log.

First changes of each kind, each shown by HAProxy before the next is made; then
random changes at a rate. A wire in front of ZooKeeper counts the requests.
"""

import time

import wait
from figures import Figure
from fleet import Fleet, state
from wire import Wire

DEADLINE = 45
SERVICES = 10
INSTANCES = 10  # of each, at first
SINGLES = 40    # of each kind: no more than SERVICES * SPARE
RANDOM = 1000
RATE = 100      # random changes a second
STEP = 10       # of them in one transaction
PATIENCE = 30


def run(sandbox):
    zookeeper = sandbox.zookeeper()
    wire = Wire(sandbox, zookeeper)
    fleet = Fleet(zookeeper.client(), "/bench/changes",
                  {f"s{n}": INSTANCES for n in range(SERVICES)})
    proxy = sandbox.haproxy(fleet.backends(wire.addresses))
    _shown(proxy, fleet)
    for kind in ("move", "add", "drop"):
        yield Figure("changes", f"requests_{kind}",
                     _requests(wire, proxy, fleet, kind), "a change")
    wire.forget()
    lines = _lines(proxy)
    _random(fleet)
    _shown(proxy, fleet)
    yield Figure("changes", "requests_random", wire.counts.total() / RANDOM,
                 "a change")
    yield Figure("changes", "lines", (_lines(proxy) - lines) * 1000 / RANDOM,
                 "by 1000")


def _requests(wire, proxy, fleet, kind):
    """By change of a kind, of each service in turn."""
    wire.forget()
    for number in range(SINGLES):
        getattr(fleet, kind)(f"s{number % SERVICES}")
        fleet.commit()
        _shown(proxy, fleet)
    return wire.counts.total() / SINGLES


def _random(fleet):
    start = time.monotonic()
    for made in range(0, RANDOM, STEP):
        time.sleep(max(0, start + made / RATE - time.monotonic()))
        fleet.change(STEP)


def _shown(proxy, fleet):
    wanted = fleet.state()
    wait.until(lambda: state(proxy) == wanted, PATIENCE, "all is in place")


def _lines(proxy):
    return len(proxy.process.lines("^synapse: "))
