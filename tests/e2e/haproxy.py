"""A real HAProxy as an operator runs it: master and worker, chroot, a user of
its own, two threads; with or without the agent."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass, field

import address
import program
import wait
from nerve import SESSION_TIMEOUT

SLOT = "slot.invalid:1 init-addr last,127.0.0.1"
# HAProxy restores none of these.
PLAIN_SLOT = "127.0.0.1:1"
CHECKED = "check inter 200ms fastinter 100ms rise 1 fall 2"


def version():
    """Returns the branch of this machine's HAProxy, such as (2, 6)."""
    shown = subprocess.run(["haproxy", "-v"], text=True, check=True,
                           capture_output=True, timeout=30).stdout
    return tuple(map(int, re.search(r"version (\d+)\.(\d+)", shown).groups()))


def can(capability):
    """Whether this machine's HAProxy can do something, as the agent knows it
    (lua/synapse/haproxy/version.lua)."""
    shown = subprocess.run(["haproxy", "-v"], text=True, check=True,
                           capture_output=True, timeout=30).stdout
    script = ("local can = require('synapse.haproxy.version').capabilities("
              "arg[1])[arg[2]] assert(can ~= nil) print(can)")
    path = os.path.join(program.ROOT, "lua", "?.lua")
    return subprocess.run(
        [program.LUA, "-", re.search(r"version (\S+)", shown)[1], capability],
        input=script, env={**os.environ, "LUA_PATH": path}, text=True,
        check=True, capture_output=True, timeout=30).stdout == "true\n"


@dataclass
class Backend:
    """A backend, its frontend, and the service that fills it."""
    name: str = "web"
    hosts: list = field(default_factory=list)   # empty: no agent for it
    path: str = ""
    slots: int = 8
    slot: str = SLOT                            # address of every slot
    server: str = CHECKED                       # options of every slot
    lines: list = field(default_factory=list)   # more lines of the backend
    front: list = field(default_factory=list)   # more lines of the frontend
    haproxy: dict = field(default_factory=dict)  # services.*.haproxy
    service: dict = field(default_factory=dict)  # services.*
    port: int = field(default_factory=address.port)

    def section(self):
        body = [*self.lines, *self._servers()]
        return "\n".join([
            f"frontend {self.name}-in", f"  bind {address.HOST}:{self.port}",
            *(f"  {line}" for line in self.front),
            f"  default_backend {self.name}", "", f"backend {self.name}",
            *(f"  {line}" for line in body), ""])

    def _servers(self):
        if self.hosts and self.slot != PLAIN_SLOT and not any(
                line.startswith("load-server-state") for line in self.lines):
            yield "load-server-state-from-file global"
        if self.slots:
            yield (f"server-template s 1-{self.slots} {self.slot} "
                   f"{self.server} disabled")

    def configuration(self):
        """Returns its entry in synapse.conf.json."""
        return {"discovery": {"method": "zookeeper", "hosts": self.hosts,
                              "path": self.path},
                "haproxy": {"server_options": self.server, **self.haproxy},
                **self.service}


def web(zookeeper, path, **more):
    """Returns a backend that is filled from `path`."""
    return Backend(hosts=zookeeper.addresses, path=path, **more)


def weighted(zookeeper, path):
    """Returns a backend that also uses the znodes' weights."""
    return web(zookeeper, path, haproxy={"use_nerve_weights": True})


class HAProxy:
    """A HAProxy with `backends`. `agent=False` leaves out the agent,
    `snapshot=False` the snapshot, `threads=False` the directive that threads
    need. `extra` are more lines of `global`, `after` lines at the end. `jail`
    is the directory of the chroot, by default an empty one. `binary` is
    started as `haproxy`; a test may set another `command` later. With `status`
    the agent answers on `status_port`. `synapse` are more keys of
    synapse.conf.json, `haproxy` more of its key `haproxy`."""

    def __init__(self, sandbox, backends, name="haproxy", agent=True,
                 snapshot=True, threads=True, extra=(), start=True, limit=None,
                 synapse=None, status=False, after=(), jail=None,
                 binary="haproxy", haproxy=None):
        self._sandbox = sandbox
        self._after = after
        self._jail = jail
        self.command = [binary]
        self._limit = limit
        self.name = name
        self.host = address.HOST
        self.backends = backends
        self.port = backends[0].port
        self.status_port = address.port() if status else None
        self.directory = sandbox.path(name)
        os.mkdir(self.directory)
        self.socket = self._path("stats.sock")
        self._master = self._path("master.sock")
        self.state_directory = self._state_directory()
        self.snapshot = os.path.join(self.state_directory, "synapse.json")
        self.synapse_file = self._path("synapse.conf.json")
        self.file = self._path("haproxy.cfg")
        if agent:
            self.configure(snapshot, synapse, haproxy)
        self.write(agent, threads, extra)
        self.process = None
        if start:
            self.start()

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _state_directory(self):
        """Makes a directory in which HAProxy's user may write."""
        made = self._path("state")
        os.mkdir(made, 0o700)
        shutil.chown(made, "haproxy", "haproxy")
        return made

    def configure(self, snapshot=True, more=None, haproxy=None):
        """Writes synapse.conf.json, for the next start or reload."""
        haproxy = {"do_writes": False, "do_reloads": False,
                   "do_socket": False, "global": [], "defaults": [],
                   **(haproxy or {})}
        if snapshot:
            haproxy["state_file_path"] = self.snapshot
        with open(self.synapse_file, "w") as file:
            json.dump({"session_timeout": SESSION_TIMEOUT,
                       "services": {backend.name: backend.configuration()
                                    for backend in self.backends
                                    if backend.hosts},
                       "haproxy": haproxy, **(more or {})}, file,
                      indent=2)

    def write(self, agent=True, threads=True, extra=()):
        """Writes haproxy.cfg, for the next start or reload."""
        lines = ["global", "  log stderr format raw local0", "  nbthread 2",
                 "  hard-stop-after 30s", *self._privileges()]
        if threads:
            lines.append("  insecure-fork-wanted")
        if agent:
            lines += ["  .if version_atleast(3.1)",
                      "  tune.lua.bool-sample-conversion normal", "  .endif",
                      f"  setenv SYNAPSE_CONFIG {self.synapse_file}",
                      f"  lua-load {program.AGENT}",
                      '  stats socket "${SYNAPSE_ADMIN}" level admin',
                      '  server-state-file "${SYNAPSE_SERVERS-none}"']
        lines += [f"  stats socket {self.socket} mode 600 level admin "
                  "expose-fd listeners", *(f"  {line}" for line in extra), "",
                  "defaults", "  mode http", "  log global",
                  "  option httplog", "  option dontlog-normal",
                  "  option redispatch 1", "  retries 3",
                  "  timeout connect 1s", "  timeout client 60s",
                  "  timeout server 60s", "  timeout queue 5s", ""]
        if self.status_port:
            lines += ["frontend synapse",
                      f"  bind {address.HOST}:{self.status_port}",
                      "  http-request use-service lua.synapse", ""]
        lines += [backend.section() for backend in self.backends]
        lines += [*self._after, ""]
        with open(self.file, "w") as file:
            file.write("\n".join(lines))

    def _privileges(self):
        jail = self._jail or self._path("empty")
        os.makedirs(jail, exist_ok=True)
        return [f"  chroot {jail}", "  user haproxy", "  group haproxy"]

    def start(self):
        """Starts it and waits until master and worker answer."""
        self.begin()
        wait.until(lambda: self.accepts() and self._masters(), 20,
                   f"{self.name} accepts connections")

    def begin(self):
        self.process = self._sandbox.run(
            self.name, [*self.command, "-W", "-S", self._master,
                        "-f", self.file], limit=self._limit)
        self._sandbox.at_end(self._warnings_of_lua)

    def _warnings_of_lua(self):
        """Tells whether the agent uses something that a later HAProxy
        lacks."""
        lines = self.process.lines(r"\bhlua: .* deprecated")
        return f"{self.name}: {lines[0]}" if lines else None

    def accepts(self):
        """Tells whether it takes requests and commands. HAProxy gives its Unix
        sockets their names only after its ports are open."""
        assert self.process.alive(), f"{self.name} has ended"
        try:
            socket.create_connection((self.host, self.port), 2).close()
            return os.path.exists(self.socket)
        except OSError:
            return False

    def _masters(self):
        try:
            return self.workers()
        except OSError:
            return []

    def check(self):
        """Runs `haproxy -c`; returns its status and all it printed."""
        done = subprocess.run([*self.command, "-c", "-f", self.file], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60 * wait.FACTOR)
        return done.returncode, done.stdout + done.stderr

    def stop(self):
        """Stops it at once and cuts open connections. A master that has only
        just started would die of the signal and leave its worker."""
        wait.until(self._masters, 20, f"{self.name} is up")
        self.process.stop(signal.SIGTERM)
        wait.until(lambda: not self.process.group(), 10, "its worker is gone")

    def workers(self):
        """Returns the ids of its workers, the oldest last."""
        answer = _exchange(self._master, "show proc;quit")
        return [int(line.split()[0]) for line in answer.splitlines()
                if line.split()[1:2] == ["worker"]]

    def reload(self):
        """Reloads it and waits until a new worker serves. Returns its id."""
        before = set(self._masters())
        self.process.send(signal.SIGUSR2)
        fresh = wait.until(lambda: self._fresh(before), 20,
                           f"{self.name} has a new worker")
        wait.until(self.accepts, 20, f"{self.name} accepts connections")
        return fresh

    def _fresh(self, before):
        try:
            found = set(self._masters()) - before
            serving = int(self.info()["Pid"]) in found
        except (OSError, KeyError):
            return None
        return found.pop() if serving else None

    def ask(self, command):
        """Returns the runtime API's answer to one line of commands."""
        return _exchange(self.socket, command)

    def info(self):
        return dict(line.split(": ", 1) for line
                    in self.ask("show info").splitlines() if ": " in line)

    def servers(self, backend="web"):
        """Returns the rows of `show stat` by server name. It asks for all
        backends: HAProxy also looks for a name among the frontends, and takes
        the first match."""
        text = self.ask("show stat -1 4 -1").lstrip("# ")
        return {row["svname"]: row for row in csv.DictReader(io.StringIO(text))
                if row["pxname"] == backend}

    def serving(self, backend="web"):
        """Returns the sorted host:port of the servers that may get traffic."""
        return sorted(row["addr"] for row in self.servers(backend).values()
                      if row["status"].startswith(("UP", "no check")))

    def weights(self, backend="web"):
        """Returns the weight of every server in use, by its host:port."""
        return {row["addr"]: int(row["weight"])
                for row in self.servers(backend).values()
                if not row["status"].startswith("MAINT")}

    def slots(self, backend="web"):
        """Returns the slot of every instance in use, by its host:port."""
        return {row["addr"]: name
                for name, row in self.servers(backend).items()
                if not row["status"].startswith("MAINT")}

    def serves(self, services, backend="web", seconds=10):
        """Waits until exactly `services` get the backend's traffic."""
        wanted = sorted(one.address for one in services)
        wait.until(lambda: self.serving(backend) == wanted, seconds,
                   f"{self.name}: {backend} serves from {wanted}")

    def remembers(self, services, seconds=10):
        """Waits until the snapshot names all of `services`."""
        ports = {str(it.port) for it in services}
        wait.until(lambda: ports <= self._words_of_snapshot(), seconds,
                   f"the snapshot names {sorted(ports)}")

    def _words_of_snapshot(self):
        try:
            with open(self.snapshot) as file:
                return set(re.findall(r"\d+", file.read()))
        except FileNotFoundError:
            return set()

    def get(self, path="/", port=None, asks_for=None):
        """Sends one request through it, for a host if one is given. Returns
        the status and the body."""
        host = f"Host: {asks_for}\r\n" if asks_for else ""
        request = f"GET {path} HTTP/1.0\r\n{host}\r\n".encode()
        with socket.create_connection((self.host, port or self.port),
                                      5 * wait.FACTOR) as connection:
            connection.sendall(request)
            answer = _read_all(connection)
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(None, 2)[1]), body.decode()


    @contextlib.contextmanager
    def hold(self, path):
        """Keeps a request open whose answer does not end. Returns a function
        that waits for more of the answer."""
        with socket.create_connection((self.host, self.port),
                                      5 * wait.FACTOR) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            assert connection.recv(4096)
            yield lambda: connection.recv(4096)


def _exchange(path, command):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5 * wait.FACTOR)
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        return _read_all(connection).decode()


def _read_all(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))
