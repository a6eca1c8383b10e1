"""A real ZooKeeper server (Debian's jars), and kazoo to look at it from
outside."""

import os
import re
import shutil
import socket

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.retry import KazooRetry

import address
import wait

JARS = "/usr/share/java"
# The three of netty are for TLS; Debian's own class path lacks them.
CLASSES = ":".join(f"{JARS}/{name}.jar" for name in (
    "zookeeper", "slf4j-api", "slf4j-simple", "netty-codec",
    "netty-resolver", "netty-transport-native-unix-common"))
MACHINE = ["java", "-Xmx128m", "-Xshare:auto", "-XX:+UseSerialGC",
           "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no",
           "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
           "-cp", CLASSES]
JAVA = MACHINE + ["org.apache.zookeeper.server.ZooKeeperServerMain"]

# Half a second: ZooKeeper rounds the end of a session up to a multiple of it.
TICK = 0.5


class Witness(KazooClient):
    """A client that asks again when its connection or its session ended
    before the answer came: a server that starts may accept a connection and
    never answer on it, until the session has expired."""

    def _ask(self, question, *arguments, **named):
        retry = KazooRetry(-1, 0.05, backoff=1, max_delay=0.1,
                           ignore_expire=True, deadline=40 * wait.FACTOR,
                           interrupt=lambda: self._stopped.is_set())
        return retry(question, *arguments, **named)

    def get(self, *arguments, **named):
        return self._ask(super().get, *arguments, **named)

    def exists(self, *arguments, **named):
        return self._ask(super().exists, *arguments, **named)

    def get_children(self, *arguments, **named):
        return self._ask(super().get_children, *arguments, **named)


class Clients:
    """The kazoo clients that a test makes for `hosts`."""

    def __init__(self, hosts):
        self.hosts = hosts
        self._clients = []

    def client(self, timeout=6, credentials=None):
        """Returns a new connected kazoo client, which reconnects without
        delay. It shows the `credentials`, "user:password", if they are
        given."""
        client = Witness(
            self.hosts, timeout=timeout,
            auth_data=[("digest", credentials)] if credentials else None,
            connection_retry=KazooRetry(-1, 0.05, backoff=1, max_delay=0.1),
            command_retry=KazooRetry(-1, 0.05, backoff=1, max_delay=0.1))
        client.start(40 * wait.FACTOR)
        self._clients.append(client)
        return client

    def close(self):
        """Ends the clients. The sandbox ends the servers."""
        for client in self._clients:
            client.stop()
            client.close()


class ZooKeeper(Clients):
    """A server. It may be stopped, frozen, wiped and started again on the same
    port. `lines` are added to its configuration."""

    def __init__(self, sandbox, name="zookeeper", lines=(),
                 host=address.HOST, port=None):
        self._sandbox = sandbox
        self.name = name
        self.host = host
        self.port = port or address.port(host)
        super().__init__(f"{host}:{self.port}")
        self.addresses = [self.hosts]
        self.directory = os.path.join(sandbox.directory, name)
        os.mkdir(self.directory)
        self._write_configuration(lines)
        self._program = JAVA
        self.process = None

    def _write_configuration(self, lines):
        self._configuration = os.path.join(self.directory, "zoo.cfg")
        with open(self._configuration, "w") as file:
            file.write(f"tickTime={int(TICK * 1000)}\n"
                       f"dataDir={self.directory}/data\n"
                       f"clientPortAddress={self.host}\n"
                       f"clientPort={self.port}\n"
                       "maxClientCnxns=0\n"
                       "admin.enableServer=false\n"
                       "4lw.commands.whitelist=ruok,srvr,cons,wchs,dump\n")
            file.writelines(f"{line}\n" for line in lines)

    def begin(self):
        """Starts the server without waiting for it to answer."""
        self.process = self._sandbox.run(
            self.name, self._program + [self._configuration])

    def start(self):
        self.begin()
        self.wait_until_it_answers()

    def wait_until_it_answers(self):
        wait.until(self._answers, 40, f"{self.name} answers ruok")

    def _answers(self):
        assert self.process.alive(), f"{self.name} has ended"
        return self.command("ruok") == "imok" and self.mode()

    def command(self, word):
        """Returns the answer to a four-letter command; empty if the server is
        down."""
        try:
            with socket.create_connection((self.host, self.port),
                                          2) as connection:
                connection.sendall(word.encode())
                parts = iter(lambda: connection.recv(65536), b"")
                return b"".join(parts).decode()
        except OSError:
            return ""

    def stop(self):
        """Stops it and keeps its data."""
        self.process.kill()

    def wipe(self):
        """Deletes the data of a stopped server."""
        assert not self.process.alive()
        shutil.rmtree(os.path.join(self.directory, "data"))

    def freeze(self):
        self.process.freeze()

    def thaw(self):
        self.process.thaw()

    def mode(self):
        """Returns its mode: standalone, leader or follower; None while it does
        not serve."""
        found = re.search(r"^Mode: (\w+)", self.command("srvr"), re.M)
        return found and found[1]

    def release(self):
        """The release that runs, such as 3.8.0."""
        return wait.until(lambda: re.search(
            r"^Zookeeper version: ([\d.]+)", self.command("srvr"), re.M), 20,
            "it tells its release")[1]

    def sessions(self):
        """Returns the ids of the living sessions, connected or not."""
        return {int(it, 16) for it in re.findall(r"^\t(0x[0-9a-f]+)$",
                                                 self.command("dump"), re.M)}

    def watches(self):
        """Returns how many data watches all clients have set. The server does
        not count those of children."""
        return int(re.search(r"^Total watches:(\d+)$", self.command("wchs"),
                             re.M)[1])

    def connections(self):
        """Returns how many clients are connected, without the one that
        asks."""
        return sum(line.startswith(" /") and "queued" in line
                   for line in self.command("cons").splitlines()) - 1


def children(client, path):
    """Returns the sorted children of `path`; none if it does not exist."""
    try:
        return sorted(client.get_children(path))
    except NoNodeError:
        return []


def registrations(client, path):
    """Returns the data of every child of `path`, sorted."""
    found = []
    for name in children(client, path):
        try:
            found.append(client.get(f"{path}/{name}")[0])
        except NoNodeError:
            pass
    return sorted(found)


def register(client, path, payload, name="other_"):
    """Registers an instance as any nerve would. Returns the znode's path."""
    return client.create(f"{path}/{name}", payload, ephemeral=True,
                         sequence=True, makepath=True)


def births(client, path):
    """Returns the czxid of every child of `path`. It changes only if somebody
    deletes the children and makes them again."""
    stats = {name: client.exists(f"{path}/{name}")
             for name in children(client, path)}
    return {name: stat.czxid for name, stat in stats.items() if stat}


