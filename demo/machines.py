"""Who is where: the machines of the sandbox, as data.

A machine is a loopback address with pieces on it (a ZooKeeper; or a service,
the nerve that checks it and a HAProxy) and a folder of their files. The names,
the last numbers of the addresses and the ports are the SmartStack tutorial's.
"""

import os
import socket
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass(frozen=True)
class Machine:
    """One machine: `number` ends its address, `offers` names its service."""
    name: str
    number: int
    pieces: tuple
    offers: str = ""


NODE = ("service", "nerve", "haproxy")
MACHINES = (
    Machine("zookeeper1", 101, ("zookeeper",)),
    Machine("service_a_node_1", 102, NODE, "service_a"),
    Machine("service_a_node_2", 104, NODE, "service_a"),
    Machine("service_b_node_1", 103, NODE, "service_b"),
)

# What a program listens on, and a HAProxy for each service. Where one is
# taken, the next free one is used.
ZOOKEEPER_PORT = 2181
SERVICE_PORT = 8000
STATS_PORT = 3212
FRONTEND_PORTS = {"service_a": 3213, "service_b": 3214}


class Stack:
    """All machines on one network of loopback addresses, such as 127.0.1."""

    def __init__(self, network="127.0.1", machines=MACHINES):
        self.network = network
        self.machines = machines
        self.folder = os.path.join("build", "demo", network)
        self._ports = {}

    def machine(self, name):
        return next(one for one in self.machines if one.name == name)

    def offering(self, service):
        """The machines that offer `service`."""
        return [one for one in self.machines if one.offers == service]

    def services(self):
        """The names of all services, sorted."""
        return sorted({one.offers for one in self.machines if one.offers})

    def address(self, machine):
        return f"{self.network}.{machine.number}"

    def port(self, machine, wished):
        """The port used on `machine` for `wished`: itself where it is free,
        and the same one every time."""
        key = machine.name, wished
        if key not in self._ports:
            self._ports[key] = self._free_port(machine, wished)
        return self._ports[key]

    def _free_port(self, machine, wished):
        taken = {port for (name, _), port in self._ports.items()
                 if name == machine.name}
        for port in range(wished, 65536):
            if port not in taken and _is_free(self.address(machine), port):
                return port
        raise OSError(f"{self.address(machine)}: no free port from {wished}")

    def at(self, machine, wished):
        """address:port"""
        return f"{self.address(machine)}:{self.port(machine, wished)}"

    def frontend(self, machine, service):
        """Where `machine`'s HAProxy offers `service`."""
        return self.at(machine, FRONTEND_PORTS[service])

    def ensemble(self):
        """The connect strings of the ZooKeeper servers."""
        return [self.at(one, ZOOKEEPER_PORT) for one in self.machines
                if "zookeeper" in one.pieces]

    def path(self, machine, *names):
        """A file of `machine`, as one types it in the repository's root."""
        return os.path.join(self.folder, machine.name, *names)


def registrations(service):
    """The znode whose children are the instances of `service`."""
    return f"/nerve/services/{service}/services"


def _is_free(address, port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
