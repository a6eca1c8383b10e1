#!/usr/bin/python3 -B
"""A small HTTP service that says who it is.

    http_service.py NAME ADDRESS PORT FOLDER

  GET /health   200 OK while FOLDER has a file `health`, 404 without it
  GET anything  200 and one line with its name and address
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name, address, folder):
        super().__init__(address, Handler)
        self.name = name
        self.health = os.path.join(folder, "health")


class Handler(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self):
        if self.path != "/health":
            host, port = self.server.server_address
            self._answer(200, f"{self.server.name} at {host}:{port}\n")
        elif os.path.exists(self.server.health):
            self._answer(200, "OK\n")
        else:
            self._answer(404, "no file named health\n")

    def _answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_request(self, code="-", size="-"):
        """Logs nothing: checks and traffic would fill the log."""


def main(name, address, port, folder):
    server = Server(name, (address, int(port)), folder)
    print(f"{name}: listens on {address}:{port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
