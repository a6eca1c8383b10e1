"""A whole fleet's services in one HAProxy: in place after everything that can
happen to a session, and frugal with ZooKeeper's time.

SCALE multiplies the number of services.
"""

import json
import os
import random
import time

import pytest

import wait
from haproxy import Backend
from nerve import SESSION_TIMEOUT
from wire import Wire

SCALE = float(os.environ.get("SCALE") or 0.1)
SERVICES = int(1000 * SCALE)
EACH = 10
LARGE = int(2000 * SCALE)   # instances of the one large service
CHANGES = int(1000 * SCALE)
SPARE = 4                   # slots that are free
IN_FLIGHT = 64
BATCH = 500
PATIENCE = 60 + 60 * SCALE
SEED = int(os.environ.get("SEED") or time.time())


class Fleet:
    """Services and their instances, as they are in ZooKeeper."""

    def __init__(self, client, path):
        self._client = client
        self.path = path
        self.services = {f"s{n}": {} for n in range(SERVICES)}
        self.services["large"] = {}
        for name in self.services:
            client.ensure_path(f"{path}/{name}")
        self._next = 0
        self._transaction = client.transaction()
        for name in self.services:
            for _ in range(LARGE if name == "large" else EACH):
                self.add(name)
        self.commit()

    def add(self, name):
        """One more instance of a service."""
        self._next += 1
        number = self._next
        host = f"127.1.{number // 250 % 250}.{number % 250 + 1}"
        port = 1025 + number // 62500
        znode = f"{self.path}/{name}/i_{number:010}"
        self._transaction.create(znode, json.dumps(
            {"host": host, "port": port, "name": str(number)}).encode())
        self.services[name][znode] = f"{host}:{port}"
        self._flush()

    def drop(self, name):
        """One less."""
        znode, _ = self.services[name].popitem()
        self._transaction.delete(znode)
        self._flush()

    def move(self, name):
        """One of a service's instances gets another address in place."""
        znode, old = random.choice(list(self.services[name].items()))
        self._next += 1
        new = f"127.2.{self._next // 250 % 250}.{self._next % 250 + 1}:2000"
        host, port = new.split(":")
        self._transaction.set_data(znode, json.dumps(
            {"host": host, "port": int(port), "name": "moved"}).encode())
        self.services[name][znode] = new
        self._flush()
        return old

    def _flush(self):
        if len(self._transaction.operations) >= BATCH:
            self.commit()

    def commit(self):
        results = self._transaction.commit()
        assert not any(isinstance(it, Exception) for it in results), results
        self._transaction = self._client.transaction()

    def state(self):
        return {name: sorted(instances.values())
                for name, instances in self.services.items()}

    def size(self):
        return sum(map(len, self.services.values()))


def state(proxy):
    """The addresses that each backend serves from."""
    found = {}
    for line in proxy.ask("show servers state").splitlines()[2:]:
        fields = line.split()
        if len(fields) < 19:
            continue
        ready = int(fields[6]) & ~4 == 0
        served = found.setdefault(fields[1], [])
        if ready:
            served.append(f"{fields[4]}:{fields[18]}")
    return {name: sorted(served) for name, served in found.items()}


def assert_in_place(proxy, fleet, what):
    start, wanted = time.monotonic(), fleet.state()
    wait.until(lambda: state(proxy) == wanted, PATIENCE, what)
    print(f"{what}: {time.monotonic() - start:.1f} s")


def assert_counts(wire, what, lists, gets):
    """So many requests were made, once all is quiet. Of very many lists, one
    or two are read again at any moment, against lost watches."""
    print(f"{what}: {dict(wire.counts)}, at most {wire.most} in flight")
    assert wire.counts["get"] == gets, what
    assert lists <= wire.counts["list"] <= lists + SERVICES // 1000, what


@pytest.fixture
def fleet(sandbox, path):
    server = sandbox.zookeeper()
    made = Fleet(server.client(), path)
    made.wire = Wire(sandbox, server)
    return made


def backends(fleet):
    return [Backend(name=name, hosts=fleet.wire.addresses,
                    path=f"{fleet.path}/{name}", server="",
                    slots=len(instances) + SPARE,
                    service={"max_instances": 10000})
            for name, instances in fleet.services.items()]


def change(fleet, count):
    """Random changes of all kinds."""
    names = list(fleet.services)
    for _ in range(count):
        name = random.choice(names)
        most = (LARGE if name == "large" else EACH) + SPARE
        if len(fleet.services[name]) == most:
            fleet.drop(name)
        else:
            random.choice([fleet.add, fleet.drop, fleet.move])(name)
    fleet.commit()


def test_a_fleet_is_in_place_whatever_happens_to_the_session(sandbox, fleet):
    print("seed", SEED)
    random.seed(SEED)
    wire = fleet.wire
    proxy = sandbox.haproxy(backends(fleet),
                            synapse={"resync_interval": 86400})
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
    change(fleet, 10)
    assert_in_place(proxy, fleet, "a reconnect")
    wait.until(lambda: wire.counts["list"] >= lists, 30, "lists are read")
    print(f"a reconnect: {dict(wire.counts)}")
    assert wire.counts["get"] <= 20, wire.counts

    wire.forget()
    wire.blocked = True
    wire.cut()
    change(fleet, 10)
    wait.always(lambda: True, SESSION_TIMEOUT + 2, "the session expires")
    wire.blocked = False
    assert_in_place(proxy, fleet, "a new session")
    proxy.process.says("session .* expired")
    wait.until(lambda: wire.counts["get"] >= fleet.size(), PATIENCE,
               "everything is read again")
    print(f"a new session: {dict(wire.counts)}, {wire.most} in flight")
    assert wire.most <= IN_FLIGHT

    wire.forget()
    change(fleet, CHANGES)
    assert_in_place(proxy, fleet, f"{CHANGES} random changes")
    print(f"random changes: {dict(wire.counts)}",
          *proxy.process.lines("^synapse: a turn held"), sep="\n")
