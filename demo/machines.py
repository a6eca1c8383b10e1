"""The machines of the sandbox, as data.

A machine is a loopback address with pieces on it (a ZooKeeper; or a service,
the nerve that checks it and a HAProxy) and a folder for their files. The
names, the last numbers of the addresses and the ports are those of the
SmartStack tutorial.
"""

import os
import subprocess
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass(frozen=True)
class Machine:
    """A machine: `number` ends its address, `offers` names its service, `zone`
    is its zone."""
    name: str
    number: int
    pieces: tuple
    offers: str = ""
    zone: str = ""


SERVER = ("zookeeper",)
NODE = ("service", "nerve", "haproxy")
BACKEND = ("service", "nerve")
MACHINES = (
    Machine("zookeeper1", 101, SERVER),
    Machine("zookeeper2", 111, SERVER),
    Machine("zookeeper3", 112, SERVER),
    Machine("service_a_node_1", 102, NODE, "service_a", "a"),
    Machine("service_a_node_2", 104, NODE, "service_a", "b"),
    Machine("service_b_node_1", 103, NODE, "service_b", "a"),
    Machine("service_c_node_1", 105, BACKEND, "service_c", "b"),
)
PIECES = SERVER + NODE
SERVICES = ("service_a", "service_b")
# Those that no file of a HAProxy names: they are found in ZooKeeper.
NEW_SERVICES = ("service_c",)

# The ports of the programs, and of each service on a HAProxy. If a port is
# taken, the next free one is used.
ZOOKEEPER_PORT = 2181
QUORUM_PORT, ELECTION_PORT = 2888, 3888
SERVICE_PORT = 8000
STATS_PORT = 3212
FRONTEND_PORTS = {"service_a": 3213, "service_b": 3214}
STATUS_PORT = 3215
# Where services are reached that are found in ZooKeeper: all by their names,
# or one by a port of its own.
DISCOVER_PORT, SPARE_PORT = 3216, 3217


REGISTRY = "/nerve/services"


def machine(name):
    return next(one for one in MACHINES if one.name == name)


def lua():
    """Returns the version of the Lua in HAProxy, for which the module is
    built."""
    return os.environ.get("LUA") or subprocess.run(
        [os.path.join(ROOT, ".ci", "lua")], check=True, text=True,
        stdout=subprocess.PIPE).stdout.strip()


def module():
    """Returns the path of the built module below the repository's root."""
    return f"build/lua{lua()}/zookeeper.so"


def registrations(service):
    """Returns the znode whose children are the instances of `service`."""
    return f"{REGISTRY}/{service}/services"
