"""The services of a whole fleet in one HAProxy are right after everything that
can happen to a session, and need few requests to ZooKeeper.

SCALE multiplies the number of services.
"""

import os
import random
import time

import pytest

import wait
from fleet import Fleet, state
from wire import Wire

SCALE = float(os.environ.get("SCALE") or 0.1)
SERVICES = int(1000 * SCALE)
EACH = 10
LARGE = int(2000 * SCALE)   # instances of the one large service
CHANGES = int(1000 * SCALE)
# Seconds. With a shorter timeout a busy machine keeps a client waiting for so
# long that it loses its session, and then it reads more than is counted here.
SESSION_TIMEOUT = int(4 + 8 * SCALE)
IN_FLIGHT = 64
PATIENCE = 60 + 60 * SCALE
SEED = int(os.environ.get("SEED") or time.time())


def assert_in_place(proxy, fleet, what):
    start, wanted = time.monotonic(), fleet.state()
    wait.until(lambda: state(proxy) == wanted, PATIENCE, what)
    print(f"{what}: {time.monotonic() - start:.1f} s")


def assert_counts(wire, what, lists, gets):
    """Asserts that so many requests were made, once all is quiet. With many
    paths, one or two are read again at any moment, in case a watch was
    lost."""
    print(f"{what}: {dict(wire.counts)}, at most {wire.most} in flight")
    assert wire.counts["get"] == gets, what
    again = max(lists // 100, SERVICES // 1000)
    assert lists <= wire.counts["list"] <= lists + again, what


@pytest.fixture
def fleet(sandbox, path):
    server = sandbox.zookeeper(
        lines=[f"maxSessionTimeout={1000 * SESSION_TIMEOUT}"])
    sizes = {f"s{n}": EACH for n in range(SERVICES)}
    made = Fleet(server.client(), path, {**sizes, "large": LARGE})
    made.wire, made.server = Wire(sandbox, server), server
    return made


def memory(proxy):
    """Returns the worker's memory, in MB."""
    [worker] = proxy.workers()
    with open(f"/proc/{worker}/status") as file:
        words = next(line for line in file if line.startswith("VmRSS")).split()
    return int(words[1]) // 1024


def expire(fleet, own):
    """Changes the fleet while the agent is kept away, until only the sessions
    `own` are left."""
    fleet.wire.blocked = True
    fleet.wire.cut()
    fleet.change(10)
    wait.until(lambda: fleet.server.sessions() == own, 3 * SESSION_TIMEOUT,
               "the agent's sessions are over")
    fleet.wire.blocked = False


def test_a_fleet_is_in_place_whatever_happens_to_the_session(sandbox, fleet):
    print("seed", SEED)
    random.seed(SEED)
    wire, own = fleet.wire, fleet.server.sessions()
    proxy = sandbox.haproxy(
        fleet.backends(wire.addresses),
        synapse={"resync_interval": 86400, "session_timeout": SESSION_TIMEOUT})
    assert_in_place(proxy, fleet, f"start, {fleet.size()} instances")
    lists = SERVICES + 1
    assert_counts(wire, "start", lists, fleet.size())
    assert wire.most <= IN_FLIGHT

    wire.forget()
    fleet.add("s0")
    fleet.commit()
    assert_in_place(proxy, fleet, "one more instance")
    assert_counts(wire, "one more instance", 1, 1)
    wire.forget()
    fleet.move("s0")
    fleet.commit()
    assert_in_place(proxy, fleet, "one with another address")
    assert_counts(wire, "one with another address", 0, 1)

    wire.forget()
    wire.cut()
    fleet.change(10)
    assert_in_place(proxy, fleet, "a reconnect")
    # Its watches tell what was missed; the other lists are read at leisure.
    print(f"a reconnect: {dict(wire.counts)}")
    assert wire.counts["get"] <= 20, wire.counts
    assert wire.counts["list"] < lists, wire.counts
    wait.until(lambda: fleet.server.watches() == fleet.size(), 30,
               f"{fleet.size()} znodes are watched again")
    print(f"{fleet.size()} znodes and {lists} lists are watched by "
          f"{len(fleet.server.sessions() - own)} sessions, the worker takes "
          f"{memory(proxy)} MB")

    wire.forget()
    expire(fleet, own)
    assert_in_place(proxy, fleet, "a new session")
    proxy.process.says("session .* expired")
    wait.until(lambda: wire.counts["get"] >= fleet.size(), PATIENCE,
               "everything is read again")
    print(f"a new session: {dict(wire.counts)}, {wire.most} in flight")
    assert wire.most <= IN_FLIGHT

    wire.forget()
    fleet.change(CHANGES)
    assert_in_place(proxy, fleet, f"{CHANGES} random changes")
    print(f"random changes: {dict(wire.counts)}",
          *proxy.process.lines("^synapse: event loop blocked"), sep="\n")
