"""Many services and their instances, in ZooKeeper and in HAProxy."""

import json
import random

from haproxy import Backend

SPARE = 4    # slots that are free
BATCH = 500  # changes of one transaction


class Fleet:
    """Services and their instances in ZooKeeper. `sizes` is the number of
    instances that each service begins with."""

    def __init__(self, client, path, sizes):
        self.client = client
        self.path = path
        self.sizes = sizes
        self.services = {name: {} for name in sizes}
        for name in self.services:
            client.ensure_path(f"{path}/{name}")
        self._next = 0
        self._transaction = client.transaction()
        for name, size in sizes.items():
            for _ in range(size):
                self.add(name)
        self.commit()

    def add(self, name):
        """Adds an instance to a service."""
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
        """Removes an instance of a service."""
        znode, _ = self.services[name].popitem()
        self._transaction.delete(znode)
        self._flush()

    def move(self, name):
        """Gives an instance of a service another address."""
        znode = random.choice(list(self.services[name]))
        self._next += 1
        new = f"127.2.{self._next // 250 % 250}.{self._next % 250 + 1}:2000"
        host, port = new.split(":")
        self._transaction.set_data(znode, json.dumps(
            {"host": host, "port": int(port), "name": "moved"}).encode())
        self.services[name][znode] = new
        self._flush()

    def weight(self, name):
        """Gives an instance of a service another weight."""
        znode, address = random.choice(list(self.services[name].items()))
        host, port = address.split(":")
        self._next += 1
        self._transaction.set_data(znode, json.dumps(
            {"host": host, "port": int(port), "name": "weighed",
             "weight": 2 + self._next % 90}).encode())
        self._flush()

    def change(self, count):
        """Makes random changes of all kinds. A service keeps between one
        instance and SPARE more than it began with."""
        names = list(self.services)
        for _ in range(count):
            name = random.choice(names)
            if len(self.services[name]) == self.sizes[name] + SPARE:
                self.drop(name)
            elif len(self.services[name]) == 1:
                self.add(name)
            else:
                random.choice([self.add, self.drop, self.move])(name)
        self.commit()

    def register_again(self, client):
        """Registers all instances through a new client, with a server that
        has lost them. (It knows less than the old client, and does not let
        that in.)"""
        self.client = client
        self._transaction = client.transaction()
        for name, instances in self.services.items():
            client.ensure_path(f"{self.path}/{name}")
            for znode, address in instances.items():
                host, port = address.split(":")
                self._transaction.create(znode, json.dumps(
                    {"host": host, "port": int(port)}).encode())
                self._flush()
        self.commit()

    def _flush(self):
        if len(self._transaction.operations) >= BATCH:
            self.commit()

    def commit(self):
        results = self._transaction.commit()
        assert not any(isinstance(it, Exception) for it in results), results
        self._transaction = self.client.transaction()

    def state(self):
        return {name: sorted(instances.values())
                for name, instances in self.services.items()}

    def size(self):
        return sum(map(len, self.services.values()))

    def backends(self, hosts, **service):
        """Returns backends for all services, without checks, because nothing
        listens there. `service` are more keys of each."""
        return [Backend(name=name, hosts=hosts, path=f"{self.path}/{name}",
                        server="", slots=size + SPARE,
                        service={"max_instances": 10000, **service})
                for name, size in self.sizes.items()]


def state(proxy, names=("",)):
    """Returns the addresses that each backend uses; of `names` only, if they
    are given."""
    found = {}
    question = ";".join(f"show servers state {name}" for name in names)
    for line in proxy.ask(question).splitlines():
        fields = line.split()
        if len(fields) < 19 or fields[0] == "#":
            continue
        ready = int(fields[6]) & ~4 == 0
        served = found.setdefault(fields[1], [])
        if ready:
            served.append(f"{fields[4]}:{fields[18]}")
    return {name: sorted(served) for name, served in found.items()}
