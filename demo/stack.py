"""A stack: its machines, addresses, ports and folder.

A file in the folder keeps what was chosen at the start (one ZooKeeper or
three, zones, ports), so that every later command sees the same stack.
"""

import contextlib
import fcntl
import json
import os
import socket

from machines import (DISCOVER_PORT, ELECTION_PORT, FRONTEND_PORTS, MACHINES,
                      NEW_SERVICES, QUORUM_PORT, ROOT, SERVICES,
                      ZOOKEEPER_PORT, module)


class Stack:
    """All machines on one network of loopback addresses, such as 127.0.1."""

    def __init__(self, network="127.0.1", cluster=False):
        self.network = network
        self.cluster = cluster
        self.zones = False
        self.new = []  # of NEW_SERVICES, those that have come
        self.folder = os.path.join("build", "demo", network)
        self._ports = {}

    @property
    def _file(self):
        return os.path.join(self.folder, "stack.json")

    def exists(self):
        return os.path.exists(self._file)

    def save(self):
        with open(f"{self._file}.new", "w") as file:
            json.dump({"cluster": self.cluster, "zones": self.zones,
                       "new": self.new, "ports": self._ports}, file)
        os.rename(f"{self._file}.new", self._file)

    def load(self):
        with open(self._file) as file:
            known = json.load(file)
        self.cluster, self.zones = known["cluster"], known["zones"]
        self.new, self._ports = known["new"], known["ports"]

    @contextlib.contextmanager
    def locked(self):
        """Makes the folder and takes its lock, so that one command at a time
        changes what is in it. A piece that is being started keeps the lock
        until its file is written."""
        held = self._lock()
        try:
            yield
        finally:
            os.close(held)

    def _lock(self):
        while True:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            held = os.open(self.folder, os.O_RDONLY)
            fcntl.flock(held, fcntl.LOCK_EX)
            try:
                if os.path.samestat(os.fstat(held), os.stat(self.folder)):
                    return held
            except FileNotFoundError:
                pass  # its last owner has removed it
            os.close(held)

    @property
    def machines(self):
        """Returns the machines of this stack, with one ZooKeeper or all
        three, and those of the new services that have come."""
        return [one for one in MACHINES if self._has(one)]

    def _has(self, machine):
        if machine.offers in NEW_SERVICES:
            return machine.offers in self.new
        return self.cluster or machine.name not in ("zookeeper2",
                                                    "zookeeper3")

    def zookeepers(self):
        return [one for one in self.machines if "zookeeper" in one.pieces]

    def offering(self, service):
        """Returns the machines that offer `service`."""
        return [one for one in self.machines if one.offers == service]

    def services(self):
        """Returns the services that each HAProxy's files name."""
        return SERVICES

    def address(self, machine):
        return f"{self.network}.{machine.number}"

    def port(self, machine, wished):
        """Returns the port that `machine` uses in place of `wished`: the same
        one if it is free, and the same answer each time."""
        ports = self._ports.setdefault(machine.name, {})
        key = str(wished)
        if key not in ports:
            ports[key] = self._free_port(machine, wished, ports.values())
        return ports[key]

    def _free_port(self, machine, wished, taken):
        for port in range(wished, 65536):
            if port not in taken and _is_free(self.address(machine), port):
                return port
        raise OSError(f"{self.address(machine)}: no free port from {wished}")

    def at(self, machine, wished):
        """Returns address:port."""
        return f"{self.address(machine)}:{self.port(machine, wished)}"

    def frontend(self, machine, service):
        """Returns the address of `service` on `machine`'s HAProxy."""
        return self.at(machine, FRONTEND_PORTS.get(service, DISCOVER_PORT))

    def ensemble(self):
        """Returns the connect strings of the ZooKeeper servers."""
        return [self.at(one, ZOOKEEPER_PORT) for one in self.zookeepers()]

    def quorum(self, machine):
        """Returns address:port:port, on which a ZooKeeper server talks to the
        others."""
        return (f"{self.at(machine, QUORUM_PORT)}:"
                f"{self.port(machine, ELECTION_PORT)}")

    def path(self, machine, *names):
        """Returns the path of a file of `machine` below the repository's
        root."""
        return os.path.join(self.folder, machine.name, *names)


def network_of(environment):
    """Returns the network that DEMO_NETWORK names; raises ValueError."""
    network = environment.get("DEMO_NETWORK") or "127.0.1"
    parts = network.split(".")
    if len(parts) != 3 or parts[0] != "127" or not all(
            part.isdecimal() and int(part) < 256 for part in parts):
        raise ValueError(f"DEMO_NETWORK={network}: three numbers are right, "
                         "such as 127.0.1")
    return network


def go_to_root():
    """Changes to the repository's root, because all paths begin there. Raises
    OSError if nothing is built."""
    os.chdir(ROOT)
    for name in ("build/nerve", module()):
        if not os.path.exists(name):
            raise OSError(f"{name} is missing: make builds it")


def _is_free(address, port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
