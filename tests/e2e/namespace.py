"""A network of its own, with private /run and /var/lib. The samples run in it
unchanged, with their fixed ports and paths."""

import os
import subprocess
import sys

import program
import service
import wait
from zookeeper import JAVA

PREPARE = """
set -e
mount --make-rprivate /
ip link set lo up
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
install -d /var/lib/haproxy
install -d -o haproxy -g haproxy -m 0700 /var/lib/synapse
echo ready
exec sleep infinity
"""

ZOO_CFG = """tickTime=500
dataDir={}
clientPortAddress=127.0.0.1
clientPort=2181
admin.enableServer=false
"""


class Namespace:
    """Programs in it see only each other."""

    def __init__(self, sandbox):
        self._sandbox = sandbox
        holder = sandbox.run("namespace", [
            "unshare", "--net", "--mount", "sh", "-c", PREPARE])
        holder.says("ready")
        self.enter = ["nsenter", f"--target={holder.pid}", "--net",
                       "--mount", f"--wd={program.ROOT}", "--"]

    def start(self, name, *argv, **options):
        return self._sandbox.run(name, [*self.enter, *argv], **options)

    def output(self, *argv, **options):
        """Returns what a command prints; empty if it fails."""
        done = subprocess.run([*self.enter, *argv], text=True, timeout=30,
                              capture_output=True, check=False, **options)
        return done.stdout if done.returncode == 0 else ""

    def zookeeper(self):
        """Starts a ZooKeeper where the samples expect it."""
        file = self._sandbox.write("zoo.cfg", ZOO_CFG.format(
            self._sandbox.path("zookeeper-data")))
        self.start("zookeeper", *JAVA, file)
        wait.until(lambda: self.children("/"), 60, "ZooKeeper answers")

    def children(self, path):
        """Returns the children of a znode, by the module's own example."""
        return self.output(
            "env", f"LUA_CPATH={os.path.dirname(program.MODULE)}/?.so",
            program.LUA,
            "csrc/examples/ls.lua", "127.0.0.1:2181", path).split()

    def service(self, name, port):
        self.start(f"service-{name}", sys.executable, service.__file__, name,
                   "127.0.0.1", str(port))
        wait.until(lambda: self.fetch(port) == name, 20, f"{name} answers")

    def fetch(self, port):
        return self.output("curl", "-s", f"http://127.0.0.1:{port}/")
