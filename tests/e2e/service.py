"""A small HTTP service whose every answer names it.

Run as a program: service.py NAME HOST PORT... Its requests:

  GET /               200 and the name
  GET /health         200 "OK" or 503, as last set; counted
  POST /health/STATE  sets it: up, down, slow (up, after half a second), or
                      hang (accepts, never answers)
  GET /checks         how many times /health was asked
  GET /status/CODE    an answer with that status
  GET /needs-header   200 if the request has "X-Health: please", else 403
  GET /slow           the name, a byte each 0.2 s, for ever
  GET /keep           200 and the name, and the connection stays open
  GET /keep/held      the same, once it is asked to
  POST /release       answers those that wait

`Service` starts it from a test and speaks to it directly.
"""

import asyncio
import http.client
import json
import socket
import sys
from dataclasses import dataclass

import address
import wait


class Application:
    """The service itself, with one coroutine for each connection."""

    def __init__(self, name):
        self.name = name
        self.health = "up"
        self.checks = 0
        self.released = asyncio.Event()

    async def serve(self, reader, writer):
        try:
            path = "/keep"
            while path.startswith("/keep"):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, path = head.split(" ", 2)[:2]
                await self._answer(method, path, head, writer)
            writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, method, path, head, writer):
        if method == "POST" and path.startswith("/health/"):
            self.health = path.rpartition("/")[2]
            _write(writer, 200, self.health)
        elif path == "/health":
            await self._health(writer)
        elif path == "/checks":
            _write(writer, 200, str(self.checks))
        elif path.startswith("/status/"):
            _write(writer, int(path.rpartition("/")[2]), "")
        elif path == "/needs-header":
            polite = "\r\nX-Health: please\r\n" in head
            _write(writer, 200 if polite else 403, "")
        elif path == "/slow":
            await self._slow(writer)
        elif path == "/release":
            self.released.set()
            _write(writer, 200, "")
        elif path.startswith("/keep"):
            if path == "/keep/held":
                await self.released.wait()
            _write(writer, 200, self.name, "keep-alive")
        else:
            _write(writer, 200, self.name)

    async def _health(self, writer):
        self.checks += 1
        if self.health == "hang":
            await asyncio.sleep(3600)
        if self.health == "slow":
            await asyncio.sleep(0.5)
        up = self.health in ("up", "slow")
        _write(writer, 200 if up else 503, "OK" if up else "down")

    async def _slow(self, writer):
        _head(writer, 200, "Connection: close")
        while not writer.is_closing():
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.2)


def _head(writer, status, *headers):
    lines = [f"HTTP/1.1 {status} -", "X-Service: e2e", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())


def _write(writer, status, body, connection="close"):
    _head(writer, status, f"Content-Length: {len(body)}",
          f"Connection: {connection}")
    writer.write(body.encode())


class Service:
    """A test's running service."""

    def __init__(self, sandbox, name, health="up", host=address.HOST):
        self.name = name
        self.host = host
        self.port = address.port(host)
        self._sandbox = sandbox
        self.start()
        self.set_health(health)

    def begin(self):
        """Starts it; after an end on the same port as before."""
        self.process = self._sandbox.run(
            f"service-{self.name}",
            [sys.executable, __file__, self.name, self.host, str(self.port)])

    def start(self):
        """Starts it and waits until it answers."""
        self.begin()
        wait.until(self._answers, 20, f"service {self.name} answers")

    def _answers(self):
        try:
            return self.ask("GET", "/") == self.name
        except OSError:
            return False

    def ask(self, method, path):
        """Sends it one request directly. Returns the body of the answer."""
        connection = http.client.HTTPConnection(self.host, self.port,
                                                timeout=5 * wait.FACTOR)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def set_health(self, state):
        """Sets the answer of /health: "up", "down", "slow" or "hang"."""
        assert state in ("up", "down", "slow", "hang")
        assert self.ask("POST", f"/health/{state}") == state

    def checks(self):
        """Returns how many times its health has been checked."""
        return int(self.ask("GET", "/checks"))

    @property
    def address(self):
        """Returns its address as HAProxy writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def payload(self, instance_id, **more):
        """Returns the data that nerve writes for it, byte for byte, before
        `more`."""
        return compact({"host": self.host, "port": self.port,
                        "name": instance_id, **more})


def compact(value):
    """Returns JSON as nerve writes it: no spaces, in the order of `value`."""
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass
class Member:
    """An instance of a crowd."""
    name: str
    host: str
    port: int

    address = Service.address
    payload = Service.payload


class Crowd:
    """Many instances in one process; they all live and end together."""

    def __init__(self, sandbox, name, count):
        self.members = [Member(f"{name}{number}", address.HOST, address.port())
                        for number in range(count)]
        self.process = sandbox.run(
            f"crowd-{name}", [sys.executable, __file__, name, address.HOST,
                              *(str(one.port) for one in self.members)])
        wait.until(self._listens, 20, f"crowd {name} listens")

    def _listens(self):
        """The last one listens last. Asking all of a thousand again and again
        would keep them from it."""
        last = self.members[-1]
        try:
            socket.create_connection((last.host, last.port), 5).close()
            return True
        except OSError:
            return False


async def _main(name, host, *ports):
    application = Application(name)
    servers = [await asyncio.start_server(application.serve, host, int(port),
                                          backlog=1024) for port in ports]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    try:
        asyncio.run(_main(*sys.argv[1:]))
    except KeyboardInterrupt:
        pass
