"""A worker that lives long: changes, expired sessions and reloads make neither
its memory nor its descriptors nor its log grow.

CHANGES, EXPIRIES and RELOADS say how many of each.
"""

import os
import random
import time

import pytest

import wait
from fleet import Fleet, state
from haproxy import web
from wire import Wire
from zookeeper import TICK, register

CHANGES = int(os.environ.get("CHANGES") or 10_000)
EXPIRIES = int(os.environ.get("EXPIRIES") or 5)
RELOADS = int(os.environ.get("RELOADS") or 5)
FLAPS = 40
SESSION_TIMEOUT = 1  # the shortest that the server grants
AWAY = SESSION_TIMEOUT + 3 * TICK
SERVICES, EACH = 50, 20
ROUND = 500          # changes between two looks at the worker
MEMORY = 12          # MB that the worker may grow after its warm-up
LINES = 1500         # that the agent may print about 10,000 changes


def resident(pid):
    """Returns a process's memory, in MB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        words = next(line for line in file if line.startswith("VmRSS")).split()
    return int(words[1]) / 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def in_place(proxy, fleet, what):
    wanted = fleet.state()
    wait.until(lambda: state(proxy) == wanted, 60, what)


@pytest.fixture
def fleet(sandbox, path):
    server = sandbox.zookeeper()
    made = Fleet(server.client(), path,
                 {f"s{n}": EACH for n in range(SERVICES)})
    made.wire = Wire(sandbox, server)
    return made


def test_many_changes_cost_no_memory_and_few_lines(sandbox, fleet):
    """The guard remembers the changes of its window. By default that is ten
    seconds, so thousands of changes a second are a lot."""
    random.seed(CHANGES)
    proxy = sandbox.haproxy(
        fleet.backends(fleet.wire.addresses, guard={"window": 1}))
    in_place(proxy, fleet, "the start")
    [worker] = proxy.workers()
    looks, before = [], len(proxy.process.lines("^synapse: "))
    for _ in range(CHANGES // ROUND):
        fleet.change(ROUND)
        in_place(proxy, fleet, "the changes")
        looks.append((resident(worker), descriptors(worker)))
    warm = looks[len(looks) // 4]
    lines = len(proxy.process.lines("^synapse: ")) - before
    print(f"{CHANGES} changes: {warm[0]:.1f} MB -> {looks[-1][0]:.1f} MB, "
          f"{warm[1]} -> {looks[-1][1]} descriptors, {lines} lines")
    assert looks[-1][0] < warm[0] + MEMORY
    wait.until(lambda: descriptors(worker) <= warm[1] + 1, 20,
               f"no more than {warm[1]} descriptors, and one")
    assert lines < LINES * max(1, CHANGES / 10_000)


def expire(wire):
    """Keeps the agent away until its session has expired."""
    before = wire.identity
    wire.blocked = True
    wire.cut()
    wait.always(lambda: True, AWAY, "the session expires")
    wire.blocked = False
    wait.until(lambda: wire.identity[0] not in (0, before[0]), 60,
               "the agent has another session")


def test_expired_sessions_and_reloads_leave_nothing_behind(sandbox, fleet):
    wire = fleet.wire
    proxy = sandbox.haproxy(fleet.backends(wire.addresses),
                            synapse={"session_timeout": SESSION_TIMEOUT})
    in_place(proxy, fleet, "the start")
    [worker] = proxy.workers()
    looks = []
    for _ in range(EXPIRIES):
        expire(wire)
        fleet.change(1)
        in_place(proxy, fleet, "a new session")
        looks.append((resident(worker), descriptors(worker)))
    warm = looks[len(looks) // 4]
    print(f"{EXPIRIES} expiries: {warm[0]:.1f} MB -> {looks[-1][0]:.1f} MB, "
          f"{warm[1]} -> {looks[-1][1]} descriptors")
    assert looks[-1][0] < warm[0] + MEMORY
    wait.until(lambda: descriptors(worker) <= warm[1] + 1, 20,
               f"no more than {warm[1]} descriptors, and one")
    master = descriptors(proxy.process.pid)
    for _ in range(RELOADS):
        fresh = proxy.reload()
        fleet.change(1)
        in_place(proxy, fleet, "the new worker")
        wait.until(lambda one=fresh: proxy.workers() == [one], 30,
                   "the old worker is gone")
    print(f"{RELOADS} reloads: {master} -> "
          f"{descriptors(proxy.process.pid)} descriptors of the master")
    wait.until(lambda: descriptors(proxy.process.pid) <= master + 1, 20,
               f"no more than {master} descriptors of the master, and one")


def test_a_flapping_instance_starves_no_other_and_floods_no_log(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, f"{path}/calm", name="calm"),
                             web(healthy, f"{path}/flaps", name="flaps")])
    witness.ensure_path(f"{path}/flaps")
    register(witness, f"{path}/calm", one.payload("one"))
    proxy.serves([one], "calm")
    before, slowest = len(proxy.process.lines("^synapse: ")), 0
    for turn in range(FLAPS):
        start = time.monotonic()
        node = register(witness, f"{path}/flaps", two.payload("two"))
        if turn % 10 == 0:
            other = register(witness, f"{path}/calm", two.payload("two"))
            proxy.serves([one, two], "calm", seconds=3)
            slowest = max(slowest, time.monotonic() - start)
            witness.delete(other)
        witness.delete(node)
        wait.always(lambda: True, max(0, 0.1 - time.monotonic() + start),
                    "ten times a second")
    lines = len(proxy.process.lines("^synapse: ")) - before
    print(f"{FLAPS} flaps: {lines} lines, the calm service converged in "
          f"{slowest * 1000:.0f} ms at most")
    assert lines < 4 * FLAPS
    proxy.serves([one], "calm")
    assert proxy.serving("flaps") in ([], [two.address])
