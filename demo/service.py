"""The piece that is a service: what the others are there for."""

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
        self.write("health", "")

    def command(self):
        address, _, port = self.where().rpartition(":")
        return [sys.executable, "-B", PROGRAM, self.machine.name, address,
                port, self.file()]

    def says(self):
        status, text = get(self.where(), "/health")
        return f"GET /health: {status} {text}" if status == 200 else ""
