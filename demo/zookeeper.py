"""The piece zookeeper: a ZooKeeper server, and its four-letter words."""

import socket

from machines import ZOOKEEPER_PORT
from piece import Piece

CLASSES = ":".join(f"/usr/share/java/{name}.jar" for name in (
    "zookeeper", "slf4j-api", "slf4j-simple"))
PATIENCE = 1


class ZooKeeper(Piece):
    kind = "zookeeper"

    def where(self):
        return self.stack.at(self.machine, ZOOKEEPER_PORT)

    def configure(self):
        address, _, port = self.where().rpartition(":")
        self.write("zoo.cfg", f"""\
tickTime=2000
dataDir={self.file("data")}
clientPortAddress={address}
clientPort={port}
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=ruok,srvr,cons,wchs
{self._others()}""")
        servers = self.stack.zookeepers()
        if self.machine in servers:
            self.write("data/myid", f"{servers.index(self.machine) + 1}\n")

    def _others(self):
        """Returns the lines that make three servers one ensemble."""
        if not self.stack.cluster:
            return ""
        servers = enumerate(self.stack.zookeepers(), 1)
        return "initLimit=10\nsyncLimit=5\n" + "".join(
            f"server.{number}={self.stack.quorum(one)}\n"
            for number, one in servers)

    def command(self):
        return ["java", "-Xmx128m", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1", "-cp", CLASSES,
                "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                self.file("zoo.cfg")]

    def says(self):
        answer = self.word("ruok")
        if not answer:
            return ""
        return f"{answer}, {self.mode() or 'serves nobody: no quorum'}"

    def ready(self):
        return bool(self.mode())

    def mode(self):
        """Returns `mode: leader` or the like; empty while it does not
        serve."""
        modes = [line for line in self.word("srvr").splitlines()
                 if line.startswith("Mode: ")]
        return modes[0].lower() if modes else ""

    def word(self, word):
        """Returns the answer to a four-letter word; empty if the server is
        down."""
        address, _, port = self.where().rpartition(":")
        try:
            with socket.create_connection((address, int(port)),
                                          PATIENCE) as server:
                server.sendall(word.encode())
                return b"".join(iter(lambda: server.recv(65536), b"")).decode()
        except OSError:
            return ""


def serves(stack):
    """Tells whether any server of the ensemble serves clients."""
    return any(ZooKeeper(stack, one).mode() for one in stack.zookeepers())
