"""The piece that is nerve: it checks the service and registers it."""

import json

from machines import SERVICE_PORT, registrations
from piece import Piece
from zookeeper import children


class Nerve(Piece):
    kind = "nerve"

    def where(self):
        return f"checks {self.stack.at(self.machine, SERVICE_PORT)}"

    def configure(self):
        self.write("nerve.conf.json",
                   json.dumps(self._configuration(), indent=2) + "\n")

    def _configuration(self):
        service = self.machine.offers
        return {
            "instance_id": self.machine.name,
            "services": {service: {
                "host": self.stack.address(self.machine),
                "port": self.stack.port(self.machine, SERVICE_PORT),
                "zk_hosts": self.stack.ensemble(),
                "zk_path": registrations(service),
                "check_interval": 2,
                "checks": [{"type": "http", "uri": "/health",
                            "timeout": 0.2, "rise": 3, "fall": 2}],
            }},
        }

    def command(self):
        return ["build/nerve", "-c", self.file("nerve.conf.json")]

    def says(self):
        found = children(self.stack, registrations(self.machine.offers))
        mine = [one for one in found
                if one.startswith(f"{self.machine.name}_")]
        return f"registered as {mine[-1]}" if mine else ""
