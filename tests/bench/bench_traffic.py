"""traffic: requests through HAProxy with the agent, and without it.

wrk sends requests to two equal HAProxies in turn, both in front of one server:
first while nothing changes, then while instances change in ZooKeeper. In the
turn of the HAProxy with the agent, the agent follows the service that changes.
In the other turn nobody follows it, but the same changes are made. An aim is
also met within the spread of the floor's own measurements.

On a machine with few cores ZooKeeper and the client that makes the changes
take processor time from the traffic. So `change_*` says, without traffic, how
much processor time one change takes in the worker and in ZooKeeper. The floor
is a change that nobody follows.
"""

import contextlib
import re
import statistics
import subprocess
import threading
import time

import address
import processor
import wait
from figures import Figure
from fleet import Fleet, state
from haproxy import Backend

DEADLINE = 80
PAIRS = 5
SECONDS = 2       # of each look
CONNECTIONS = 16
RATE = 100        # changes a second
INSTANCES = 20    # of the service that changes
AIMS = {"request": 1.03, "p99": 1.10}

ANSWERER = """global
    nbthread 2
defaults
    mode http
    timeout client 5s
frontend answerer
    bind {}:{}
    http-request return status 200 content-type text/plain string OK
"""


def run(sandbox):
    zookeeper = sandbox.zookeeper()
    answerer = _answerer(sandbox)
    client = zookeeper.client()
    fleet, unseen = (Fleet(client, f"/bench/traffic/{name}",
                           {"s": INSTANCES}) for name in ("seen", "unseen"))
    ours, plain = (sandbox.haproxy(
        [_asked(answerer), *fleet.backends(hosts)], name=name,
        agent=bool(hosts)) for name, hosts in (
            ("agent", zookeeper.addresses), ("plain", [])))
    wait.until(lambda: state(ours)["s"] == fleet.state()["s"], 30, "in place")
    for name, changed in (
            ("idle", (contextlib.nullcontext, contextlib.nullcontext)),
            ("changes", (lambda: _changes(fleet), lambda: _changes(unseen)))):
        yield from _compare(name, ours, plain, changed)
    yield from _costs(ours, zookeeper, fleet, unseen)


def _answerer(sandbox):
    """Its port. It listens before a HAProxy needs it."""
    port = address.port()
    sandbox.run("answerer", ["haproxy", "-db", "-f", sandbox.write(
        "answerer.cfg", ANSWERER.format(address.HOST, port))])
    return port


def _asked(port):
    """The backend that wrk asks: not one of the agent's."""
    return Backend(name="asked", slots=0, server="",
                   lines=[f"server one {address.HOST}:{port}"])


def _compare(name, ours, plain, changed):
    """Looks in turn, the one with the agent first in every other pair."""
    found = {ours: [], plain: []}
    sides = list(zip((ours, plain), changed))
    for _ in range(PAIRS):
        for proxy, changes in sides:
            with changes():
                found[proxy].append(_look(proxy))
        sides.reverse()
    for metric, values, floors in zip(AIMS, zip(*found[ours]),
                                      zip(*found[plain])):
        floor = statistics.median(floors)
        yield Figure("traffic", f"{name}_{metric}", statistics.median(values),
                     "us", floor, max(AIMS[metric], max(floors) / floor))


def _look(proxy):
    """Microseconds: of the time that a request took of the whole, and that
    99 of 100 took at most."""
    text = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency",
         f"http://{proxy.host}:{proxy.port}/"], text=True, check=True,
        capture_output=True).stdout
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    rate = re.search(r"Requests/sec: +([\d.]+)", text)[1]
    value, unit = re.search(r"99% +([\d.]+)(us|ms|s)", text).groups()
    return (1e6 / float(rate),
            float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit])


def _costs(proxy, zookeeper, fleet, unseen):
    """What a change takes of the worker and of ZooKeeper, in turns with one
    that nobody follows."""
    [worker] = proxy.workers()
    pids = {"worker": worker, "zookeeper": zookeeper.process.pid}
    looks = [(_cost(pids, fleet), _cost(pids, unseen)) for _ in range(PAIRS)]
    return [_cost_figure(name, looks) for name in pids]


def _cost_figure(name, looks):
    value, floor = (statistics.median(look[name] for look in side)
                    for side in zip(*looks))
    return Figure("traffic", f"change_{name}", value, "us", floor)


def _cost(pids, fleet):
    """Microseconds of a processor for a change, by process."""
    before = {name: processor.used(pid) for name, pid in pids.items()}
    with _changes(fleet) as made:
        time.sleep(SECONDS)
    return {name: 1e6 * (processor.used(pid) - before[name]) / len(made)
            for name, pid in pids.items()}


@contextlib.contextmanager
def _changes(fleet):
    """Instances get other addresses, RATE of them a second. What it gives is
    as long as there were changes."""
    ending, made = threading.Event(), []
    thread = threading.Thread(target=_move, args=(fleet, ending, made))
    thread.start()
    try:
        yield made
    finally:
        ending.set()
        thread.join()


def _move(fleet, ending, made):
    start = time.monotonic()
    while not ending.wait(max(0, start + len(made) / RATE - time.monotonic())):
        fleet.move("s")
        fleet.commit()
        made.append(start)
