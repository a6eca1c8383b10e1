"""The piece nerve: it checks the service and registers it."""

import json
import subprocess

from machines import SERVICE_PORT, registrations
from piece import Piece
from service import Service
from zookeeper import serves
from znodes import owner, registered


class Nerve(Piece):
    kind = "nerve"

    def where(self):
        return f"checks {self.stack.at(self.machine, SERVICE_PORT)}"

    def configure(self):
        self.write("nerve.conf.json",
                   json.dumps(self._configuration(), indent=2) + "\n")

    def _configuration(self):
        service = self.machine.offers
        zone = {"labels": {"zone": self.machine.zone}}
        return {
            "instance_id": self.machine.name,
            "control_socket": self.file("nerve.sock"),
            "holds_path": self.file("nerve.holds"),
            "services": {service: {
                "host": self.stack.address(self.machine),
                "port": self.stack.port(self.machine, SERVICE_PORT),
                "zk_hosts": self.stack.ensemble(),
                "zk_path": registrations(service),
                "check_interval": 2,
                "checks": [{"type": "http", "uri": "/health",
                            "timeout": 0.2, "rise": 3, "fall": 2}],
                **(zone if self.stack.zones else {}),
            }},
        }

    def command(self):
        return ["build/nerve", "-c", self.file("nerve.conf.json")]

    def ctl(self, words):
        """Runs `nerve ctl` as an operator would. Returns its exit status."""
        return subprocess.run(
            ["build/nerve", "ctl", "-c", self.file("nerve.conf.json"), *words],
            check=False).returncode

    def says(self):
        if not self.process.runs():
            return ""
        if not serves(self.stack):
            return "no ZooKeeper serves it"
        mine = self.znodes()
        return f"registered as {mine[-1]}" if mine else "not registered"

    def ready(self):
        return (bool(self.znodes()) or not serves(self.stack)
                or not Service(self.stack, self.machine).healthy())

    def znodes(self):
        """Returns the names of its registrations."""
        if not serves(self.stack):
            return []
        return [name for name in registered(self.stack, self.machine.offers)
                if owner(name) == self.machine.name]
