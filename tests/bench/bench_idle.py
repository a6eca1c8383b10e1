"""idle: what 1,000 services of one instance cost while nothing changes.

The floor is the same HAProxy without the agent. follow.c sets its servers, and
the time and the calls of follow.c are part of the floor.
"""

import statistics
import time

import processor
import tracing
import wait
from figures import Figure
from fleet import Fleet, state
from follow import Follow

DEADLINE = 45
SERVICES = 1000
COUNTED = 2  # seconds in which calls are counted
PAIRS = 3
PATIENCE = 60


def run(sandbox):
    zookeeper = sandbox.zookeeper()
    fleet = Fleet(zookeeper.client(), "/bench/idle",
                  {f"s{n}": 1 for n in range(SERVICES)})
    proxy = sandbox.haproxy(fleet.backends(zookeeper.addresses), name="agent")
    plain = sandbox.haproxy(fleet.backends([]), name="plain", agent=False)
    follow = Follow(sandbox, zookeeper.hosts, plain, {
        name: f"{fleet.path}/{name}" for name in fleet.services})
    for one in (proxy, plain):
        wait.until(lambda one=one: state(one) == fleet.state(), PATIENCE,
                   "all are ready")
    [worker], [plain_worker] = proxy.workers(), plain.workers()

    def used():
        return processor.used(worker)

    processor.idle_share(used)
    looks = [(processor.share(used), processor.share(follow.used))
             for _ in range(PAIRS)]
    ours, floor = map(statistics.median, zip(*looks))
    yield Figure("idle", f"cpu_{SERVICES}", 1000 * ours, "ms/s", 1000 * floor,
                 most=3)
    ours, *floors = (tracing.calls(pid, lambda: time.sleep(COUNTED)) / COUNTED
                     for pid in (worker, plain_worker, follow.process.pid))
    yield Figure("idle", f"syscalls_{SERVICES}", ours, "1/s", sum(floors))
