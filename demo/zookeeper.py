"""The piece that is a ZooKeeper server, and a look into it."""

import os
import socket
import subprocess

from machines import ROOT, ZOOKEEPER_PORT
from piece import Piece

CLASSES = ":".join(f"/usr/share/java/{name}.jar" for name in (
    "zookeeper", "slf4j-api", "slf4j-simple"))


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
""")

    def command(self):
        return ["java", "-Xmx128m", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1", "-cp", CLASSES,
                "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                self.file("zoo.cfg")]

    def says(self):
        mode = [line for line in self._word("srvr").splitlines()
                if line.startswith("Mode: ")]
        if not mode or self._word("ruok") != "imok":
            return ""
        return f"imok, {mode[0].lower()}"

    def _word(self, word):
        """The answer to a four-letter word; empty without a server."""
        address, _, port = self.where().rpartition(":")
        try:
            with socket.create_connection((address, int(port)), 2) as server:
                server.sendall(word.encode())
                return b"".join(iter(lambda: server.recv(65536), b"")).decode()
        except OSError:
            return ""


def children(stack, path):
    """The names below `path`, read by Myelin's own module in plain Lua."""
    done = subprocess.run(
        ["lua5.3", os.path.join(ROOT, "csrc", "examples", "ls.lua"),
         ",".join(stack.ensemble()), path],
        env={**os.environ, "LUA_CPATH": os.path.join(ROOT, "build/?.so;;")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    return done.stdout.split()
