"""converge: how long a znode's change takes to reach HAProxy.

Two HAProxies with equal slots and instances follow one ZooKeeper: one has the
agent, and the floor (floor.c) moves the other. converge.c makes the changes
and watches for the effect. It changes one side and then the other, so both see
the same machine.
"""

import collections
import json
import os
import signal

import program
import wait
from figures import Figure, percentile
from haproxy import Backend
from zookeeper import register

DEADLINE = 100
SIZES = (10, 100, 1000)  # instances of the backend, the probe among them
ROUNDS = 240             # each gives one `ready` and one `maint` a side
WARM_UP = 20             # rounds before these, for ZooKeeper's compiler
SHARES = {"p50": (0.50, 1.5), "p99": (0.99, 3)}  # of the samples; the aim
BATCH = 100              # commands in one line of the runtime API


def run(sandbox):
    """Measures every size; yields the figures."""
    zookeeper = sandbox.zookeeper()
    for size in SIZES:
        yield from _figures(size, _measure(sandbox, zookeeper, size))


def _measure(sandbox, zookeeper, size):
    """Samples in milliseconds, by (side, metric)."""
    agent = _agent_side(sandbox, zookeeper, size)
    floor, watcher = _floor_side(sandbox, zookeeper, size)
    driver = sandbox.run(f"converge-{size}", [
        _program("converge"), zookeeper.hosts, str(WARM_UP + ROUNDS),
        "agent", _path(size, "agent"), agent.socket,
        "floor", _path(size, "floor"), floor.socket])
    status = driver.ended(120)
    assert status == 0, driver.text()
    for process in (watcher, agent.process, floor.process):
        process.stop(signal.SIGTERM)
    return _samples(driver.text())


def _program(name):
    return os.path.join(program.BUILD, "bench", name)


def _path(size, side):
    return f"/bench/converge/{size}/{side}"


def _agent_side(sandbox, zookeeper, size):
    path = _path(size, "agent")
    _register(zookeeper, path, size - 1)
    proxy = sandbox.haproxy([_backend(size, hosts=[zookeeper.hosts],
                                      path=path)], name=f"agent-{size}")
    wait.until(lambda: len(proxy.serving()) == size - 1, 30,
               f"the agent serves {size - 1} instances")
    return proxy


def _floor_side(sandbox, zookeeper, size):
    """The plain HAProxy, its slots filled by hand, and its floor."""
    path = _path(size, "floor")
    _register(zookeeper, path, size - 1)
    proxy = sandbox.haproxy([_backend(size)], name=f"plain-{size}",
                            agent=False)
    commands = [line for index in range(1, size) for line in (
        f"set server web/s{index} addr {_host(index)} port {_port(index)}",
        f"set server web/s{index} state ready")]
    for first in range(0, len(commands), BATCH):
        proxy.ask(";".join(commands[first:first + BATCH]))
    watcher = sandbox.run(f"floor-{size}", [
        _program("floor"), zookeeper.hosts, path, proxy.socket, f"web/s{size}"])
    watcher.says("^ready$")
    return proxy, watcher


def _backend(size, **agent):
    """Unchecked servers: nothing listens behind them, nothing is asked. The
    last free slot is the probe's."""
    return Backend(server="", slots=size, **agent)


def _register(zookeeper, path, count):
    client = zookeeper.client()
    for index in range(1, count + 1):
        register(client, path, json.dumps(
            {"host": _host(index), "port": _port(index),
             "name": f"machine-{index}"}).encode(), f"machine-{index}_")


def _host(index):
    return f"127.0.1.{index % 250 + 1}"


def _port(index):
    return 10000 + index


def _samples(text):
    """What the driver has printed, in milliseconds."""
    samples = collections.defaultdict(list)
    for line in text.splitlines():
        side, metric, microseconds = line.split()
        samples[side, metric].append(int(microseconds) / 1000)
    return {key: values[WARM_UP:] for key, values in samples.items()}


def _figures(size, samples):
    for metric in ("ready", "maint"):
        for name, (share, aim) in SHARES.items():
            yield Figure("converge", f"{metric}_{size}_{name}",
                         percentile(samples["agent", metric], share), "ms",
                         percentile(samples["floor", metric], share), aim)
    yield Figure("converge", f"poll_{size}_p50",
                 percentile(samples["agent", "poll"], 0.5), "ms",
                 percentile(samples["floor", "poll"], 0.5))
