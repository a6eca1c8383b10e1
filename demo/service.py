"""The piece service: the program that the others check, register and call."""

import os
import sys

from machines import SERVICE_PORT
from piece import Piece
from traffic import get

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "http_service.py")


class Service(Piece):
    kind = "service"

    def where(self):
        return self.stack.at(self.machine, SERVICE_PORT)

    def configure(self):
        self.set_health(True)

    def set_health(self, well):
        """Does the tutorial's `touch health` or `rm health`."""
        if well:
            self.write("health", "")
        elif os.path.exists(self.file("health")):
            os.unlink(self.file("health"))

    def command(self):
        address, _, port = self.where().rpartition(":")
        return [sys.executable, "-B", PROGRAM, self.machine.name, address,
                port, self.file()]

    def says(self):
        status, text = self._health()
        return f"GET /health: {status} {text}" if status else ""

    def healthy(self):
        return self._health()[0] == 200

    def _health(self):
        return get(self.where(), "/health")
