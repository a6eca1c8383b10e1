"""start: from the start of a worker to all servers ready.

A HAProxy with the agent, without a snapshot, and the same HAProxy without the
agent are started and stopped in turn. The start with the agent lasts until
each service has its instances. `after_session` is the part of it after
ZooKeeper gave a session, `cpu` the worker's processor time in that part.
"""

import statistics
import time

import processor
import wait
from figures import Figure
from fleet import Fleet, state

DEADLINE = 90
SERVICES = 1000
INSTANCES = 10  # of each
PAIRS = 5
SECONDS = 1     # after the session: what is hoped for
AT_ONCE = 100   # services that are looked at in one question
PATIENCE = 120


def run(sandbox):
    zookeeper = sandbox.zookeeper()
    fleet = Fleet(zookeeper.client(), "/bench/start",
                  {f"s{n}": INSTANCES for n in range(SERVICES)})
    pairs = [_pair(sandbox, zookeeper, fleet, n) for n in range(PAIRS)]
    starts, floors = zip(*pairs)
    ready, after, used = map(statistics.median, zip(*starts))
    yield Figure("start", "all_ready", ready, "s", statistics.median(floors))
    yield Figure("start", "after_session", after, "s", most=SECONDS)
    yield Figure("start", "after_session_cpu", used, "s")


def _pair(sandbox, zookeeper, fleet, number):
    """One start of each."""
    ours = sandbox.haproxy(fleet.backends(zookeeper.addresses),
                           name=f"agent-{number}", snapshot=False, start=False)
    plain = sandbox.haproxy(fleet.backends([]), name=f"plain-{number}",
                            agent=False, start=False)
    return _start(ours, fleet), _accepts(plain)


def _start(proxy, fleet):
    """Seconds until all are ready, those since the session, and the worker's
    processor time in these."""
    began = time.monotonic()
    proxy.begin()
    proxy.process.says("^synapse: session with .* connected", PATIENCE)
    session = time.monotonic()
    [worker] = wait.until(lambda: _workers(proxy), PATIENCE, "a worker")
    used = processor.used(worker)
    _all_ready(proxy, fleet.state())
    end = time.monotonic()
    used = processor.used(worker) - used
    proxy.stop()
    return end - began, end - session, used


def _accepts(proxy):
    """Seconds until a HAProxy takes connections."""
    took = wait.elapsed(proxy.start)
    proxy.stop()
    return took


def _workers(proxy):
    try:
        return proxy.workers()
    except OSError:
        return []


def _all_ready(proxy, wanted):
    """Waits for the last one, which is read last, and then looks at all: to
    look at many again and again would take HAProxy's time from the start."""
    names = list(wanted)
    _are_ready(proxy, wanted, names[-1:])
    for first in range(0, len(names), AT_ONCE):
        _are_ready(proxy, wanted, names[first:first + AT_ONCE])


def _are_ready(proxy, wanted, names):
    some = {name: wanted[name] for name in names}
    wait.until(lambda: state(proxy, some) == some, PATIENCE,
               f"{names[0]} to {names[-1]} are ready")
