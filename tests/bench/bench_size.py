"""size: how many threads and how much memory a worker has.

First the threads of a worker with the agent, compared with the same HAProxy
without it. Then resident memory: for each instance, by how much a worker grows
when instances come; for each slot, how much more a worker with many slots has
than one with few.
"""

import os

import wait
from figures import Figure
from fleet import Fleet, state
from haproxy import Backend

DEADLINE = 80
SERVICES = (1, 100, 1000)  # for the threads; the last for the instances too
INSTANCES = 10             # of each service
SLOTS = (1000, 11000)      # of one service, for the slots
PATIENCE = 120


def run(sandbox):
    zookeeper = sandbox.zookeeper()
    client = zookeeper.client()
    for count in SERVICES:
        yield from _threads(sandbox, zookeeper, client, count)
    agent, plain = (_slot(sandbox, hosts)
                    for hosts in (zookeeper.addresses, []))
    yield Figure("size", "slot", agent, "kB", plain)


def _threads(sandbox, zookeeper, client, count):
    """Of one size; with the largest what an instance takes as well."""
    fleet = Fleet(client, f"/bench/size/{count}",
                  {f"s{n}": 0 for n in range(count)})
    for backend in (backends := fleet.backends(zookeeper.addresses)):
        backend.slots += INSTANCES
    plain = sandbox.haproxy(backends, name=f"plain-{count}", agent=False)
    floor = _threads_of(plain)
    plain.stop()
    proxy = _agent(sandbox, backends, f"agent-{count}")
    before = _kilobytes(proxy)
    for name in fleet.services:
        for _ in range(INSTANCES):
            fleet.add(name)
    fleet.commit()
    wanted = fleet.state()
    wait.until(lambda: state(proxy) == wanted, PATIENCE, "all are ready")
    yield Figure("size", f"threads_{count}", _threads_of(proxy), "", floor)
    if count == SERVICES[-1]:
        yield Figure("size", "instance",
                     (_kilobytes(proxy) - before) / fleet.size(), "kB")
    proxy.stop()


def _slot(sandbox, hosts):
    """Kilobytes of a slot, with the agent where there are `hosts`."""
    few, many = (_resident(sandbox, hosts, slots) for slots in SLOTS)
    return (many - few) / (SLOTS[1] - SLOTS[0])


def _resident(sandbox, hosts, slots):
    backends = [Backend(hosts=hosts, path="/bench/size/1/none", slots=slots,
                        server="")]
    name = f"slots-{slots}-{len(hosts)}"
    proxy = _agent(sandbox, backends, name) if hosts else sandbox.haproxy(
        backends, name=name, agent=False)
    used = _kilobytes(proxy)
    proxy.stop()
    return used


def _agent(sandbox, backends, name):
    """A HAProxy whose agent has a session."""
    proxy = sandbox.haproxy(backends, name=name, snapshot=False)
    proxy.process.says("^synapse: session with .* connected", PATIENCE)
    return proxy


def _threads_of(proxy):
    [worker] = proxy.workers()
    return len(os.listdir(f"/proc/{worker}/task"))


def _kilobytes(proxy):
    [worker] = proxy.workers()
    with open(f"/proc/{worker}/status") as file:
        line = next(line for line in file if line.startswith("VmRSS:"))
    return int(line.split()[1])
