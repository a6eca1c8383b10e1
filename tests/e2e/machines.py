"""The machines of haproxy/GUIDE.md: Debians that systemd has booted, in one
network. The guide's commands run on them, and the runbook's after those."""

import dataclasses
import os
import shutil
import subprocess

import document
import program
from debian import BRIDGE, Debian, base
from packages import depends, outcome

# What the guide installs from Debian. The machines have it already, because
# they have no way to a mirror.
WANTED = {"apt", "curl", "default-jre-headless", "libzookeeper-java",
          "openssl", "prometheus", "python3", "socat"}
HUB = f"""ip link add name {BRIDGE} type bridge
ip link set dev {BRIDGE} up
echo ready
exec sleep infinity"""


class Machines(dict):
    """Machines by their names. Each has the packages of `debs`, by their
    names, in /root/deb."""

    def __init__(self, sandbox, debs):
        super().__init__()
        self.sandbox = sandbox
        self.debs = debs
        needed = set().union(*map(depends, debs.values()))
        self._archive = base(
            {name.split(" | ")[0] for name in needed} | WANTED)
        self._hub = sandbox.run("hub", ["unshare", "--net", "sh", "-ec", HUB])
        self._hub.says("ready")

    def boot(self, name):
        """Boots one more; the n-th has the address 10.0.0.n."""
        machine = Debian(self.sandbox, self._archive, name)
        self[name] = machine
        machine.connect(self._hub.pid, f"10.0.0.{len(self)}/24")
        self.copy(self.debs, name, "deb")

    def follow(self, blocks, name=None):
        """Runs blocks of a document; all on one machine if it is named."""
        for block in blocks:
            document.run(dataclasses.replace(block, machines=[name])
                         if name else block, self)

    def copy(self, debs, name, place):
        """Copies packages to /root/PLACE of a machine."""
        target = f"{self[name].root}/root/{place}"
        os.makedirs(target)
        for deb in debs.values():
            shutil.copy(deb, target)


class Clone:
    """The machine with the clone: this one. `make deb` puts its packages into
    `folder`."""

    def __init__(self, folder):
        self._folder = folder

    def tries(self, *argv):
        """Runs a command in the clone. Returns what became of it."""
        return outcome(*argv, cwd=program.ROOT, stdin=subprocess.DEVNULL,
                       env={**os.environ, "DEB_DIR": self._folder})
