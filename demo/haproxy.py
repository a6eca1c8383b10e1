"""The piece haproxy: HAProxy with the agent inside, through which clients
reach the services."""

import csv
import io
import json
import os
import shutil
import socket

from machines import (DISCOVER_PORT, NEW_SERVICES, REGISTRY, ROOT,
                      SERVICE_PORT, SPARE_PORT, STATS_PORT, STATUS_PORT,
                      machine, registrations)
from piece import Piece
from znodes import owner, registered
from zookeeper import serves

# Faster than nerve's check, so that a dead instance is found at once.
SERVER_OPTIONS = "check inter 500ms fastinter 100ms rise 3 fall 2"
LISTEN = ["mode http", "option httpchk GET /health",
          "http-check expect string OK"]
GLOBAL = ["nbthread 2", "hard-stop-after 5s", "insecure-fork-wanted"]
# The agent writes to standard error by itself. Only failed requests are
# logged.
DEFAULTS = ["mode http", "log stderr format iso local0",
            "option dontlog-normal",
            'log-format "%ci:%cp %ft %b/%s %si:%sp %ST %B %Tt ms %ts %HM %HU"',
            "option redispatch 1", "retries 3", "timeout connect 1s",
            "timeout client 30s", "timeout server 30s", "timeout queue 5s"]
SLOTS = 8
# The blank backends of services that are found in ZooKeeper, and the maps by
# which the agent has HAProxy find one, and the URI of its check.
BLANKS = 3
ROUTES = "${SYNAPSE_ROUTES-/dev/null}"
CHECKS = "${SYNAPSE_CHECKS-/dev/null}"
HOST = "req.hdr(host),host_only,lower"


class HAProxy(Piece):
    kind = "haproxy"

    def where(self):
        return " ".join(f"{self.stack.frontend(self.machine, one)}"
                        for one in self.stack.services())

    def command(self):
        return ["haproxy", "-W", "-f", self.file("haproxy.cfg")]

    def configure(self):
        self.write("synapse.conf.json",
                   json.dumps(self._synapse(), indent=2) + "\n")
        self.write("haproxy.cfg", "\n\n".join(self._sections()) + "\n")
        self._make_folders()

    def _make_folders(self):
        """Makes `empty`, the chroot, and `state`, where HAProxy may write."""
        for name in ("empty", "state"):
            os.makedirs(self.file(name), mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(self.file("state"), "haproxy", "haproxy")

    def _synapse(self):
        prefer = {"prefer": {"label": "zone", "value": self.machine.zone}}
        services = {name: {
            **(prefer if self.stack.zones else {}),
            "discovery": {"method": "zookeeper",
                          "hosts": self.stack.ensemble(),
                          "path": registrations(name)},
            "haproxy": {"port": self._port(name),
                        "bind_address": self.stack.address(self.machine),
                        "server_options": SERVER_OPTIONS,
                        "listen": LISTEN},
        } for name in self.stack.services()}
        state = os.path.join(ROOT, self._snapshot)
        return {"services": services, "haproxy": {
            "do_writes": False, "do_reloads": False, "do_socket": False,
            "state_file_path": state, "global": GLOBAL, "defaults": DEFAULTS,
            "spare": {"new": {
                "backends": BLANKS, "slots": SLOTS,
                "ports": str(self.stack.port(self.machine, SPARE_PORT)),
                "bind_address": self.stack.address(self.machine),
                "server_options": SERVER_OPTIONS, "backend": LISTEN[1:]}}},
            "discover": {
                "hosts": self.stack.ensemble(), "path": REGISTRY,
                "allow": list(NEW_SERVICES), "spare": "new",
                "bind_address": self.stack.address(self.machine),
                "port": self.stack.port(self.machine, DISCOVER_PORT)}}

    def _port(self, service):
        return int(self.stack.frontend(self.machine, service)
                   .rpartition(":")[2])

    def _sections(self):
        yield _section("global", GLOBAL + self._privileges() + [
            ".if version_atleast(3.1)",
            "tune.lua.bool-sample-conversion normal", ".endif",
            f"setenv SYNAPSE_CONFIG {self.file('synapse.conf.json')}",
            "lua-load haproxy/synapse.lua",
            'stats socket "${SYNAPSE_ADMIN}" level admin',
            'server-state-file "${SYNAPSE_SERVERS-none}"',
            f"stats socket unix@{self.file('haproxy.sock')} mode 600 "
            "level admin name synapse expose-fd listeners"])
        yield _section("defaults", DEFAULTS)
        yield _section("frontend stats", [
            f"bind {self.stack.at(self.machine, STATS_PORT)}",
            "stats enable", "stats uri /", "stats refresh 2s"])
        yield _section("frontend status", [
            f"bind {self.stack.at(self.machine, STATUS_PORT)}",
            "http-request use-service lua.synapse"])
        for name in self.stack.services():
            yield _section(f"frontend {name}", [
                f"bind {self.stack.frontend(self.machine, name)}",
                f"default_backend {name}"])
            yield _section(f"backend {name}", LISTEN[1:] + [
                "load-server-state-from-file global", _slots(f"{name}_"),
                *(self._backups() if self.stack.zones else [])])
        yield from self._blanks()
        yield _section("frontend discover", [
            f"bind {self.stack.at(self.machine, DISCOVER_PORT)}",
            *_leads(HOST, "no service has this name",
                    f" !{{ {HOST} -m sub : }}")])

    def _blanks(self):
        """Returns the sections of `spare`, as synapse-haproxy-cfg makes
        them."""
        where = self.stack.at(self.machine, SPARE_PORT)
        yield _section("frontend spare-new", [
            f"bind {where} name {where}",
            *_leads("so_name", "no service listens here now")])
        for number in range(1, BLANKS + 1):
            yield _section(f"backend spare-new-{number}", [
                "option httpchk",
                f'http-check send meth GET uri-lf "%[be_name,map({CHECKS},'
                '/health)]"',
                LISTEN[2], "load-server-state-from-file global",
                _slots("s")])

    def _backups(self):
        """Returns the lines for the slots of the other zone's instances."""
        return ["option allbackups", _slots("backup_", "backup ")]

    def _privileges(self):
        """Returns the lines by which root gives up its rights; another user
        has none to give up."""
        if os.geteuid() != 0:
            return []
        return [f"chroot {self.file('empty')}", "user haproxy",
                "group haproxy"]

    def says(self):
        if not self.ask("show version"):
            return ""
        return ", ".join(
            f"{name} from {' '.join(self.serving(name)) or 'nobody'}"
            for name in self.stack.services())

    def ready(self):
        """Tells whether it serves exactly the registered instances, and still
        would after a reload."""
        if not serves(self.stack):
            return bool(self.says())
        return all(self.serving(name) == self._addresses(names) and
                   self._remembers(names)
                   for name, names in self._registered().items())

    def _registered(self):
        """Returns the names of the registered machines by service."""
        return {service: {owner(name)
                          for name in registered(self.stack, service)}
                for service in self.stack.services()}

    def _addresses(self, names):
        return sorted(self.stack.at(machine(name), SERVICE_PORT)
                      for name in names)

    def _remembers(self, names):
        """Tells whether the snapshot, which is written a moment later, names
        them."""
        if not os.path.exists(self._snapshot):
            return not names
        with open(self._snapshot) as file:
            text = file.read()
        return all(f'"{name}"' in text for name in names)

    @property
    def _snapshot(self):
        return self.file("state", "synapse.state.json")

    def serving(self, service):
        """Returns the sorted address:port of the servers that may get
        requests."""
        table = csv.DictReader(io.StringIO(self.ask("show stat -1 4 -1")))
        backend = self._backend(service)
        return sorted(row["addr"] for row in table
                      if row["# pxname"] == backend
                      and row["status"].startswith(("UP", "no check")))

    def _backend(self, service):
        """Returns the name of its backend. A blank one serves a service that
        was found in ZooKeeper; None: it was not found yet."""
        if service not in NEW_SERVICES:
            return service
        told = json.loads(self.ask("show synapse json") or '{"services":[]}')
        return next((one["backend"] for one in told["services"]
                     if one["service"] == service), None)

    def ask(self, command):
        """Returns the runtime API's answer; empty if HAProxy does not
        answer."""
        try:
            with socket.socket(socket.AF_UNIX) as api:
                api.settimeout(2)
                api.connect(self.file("haproxy.sock"))
                api.sendall(command.encode() + b"\n")
                return b"".join(iter(lambda: api.recv(65536), b"")).decode()
        except OSError:
            return ""


def _slots(prefix, backup=""):
    return (f"server-template {prefix} 1-{SLOTS} slot.invalid:1 "
            f"init-addr last,127.0.0.1 {SERVER_OPTIONS} {backup}disabled")


def _leads(key, nobody, but=""):
    """Returns the lines of a frontend that finds the backends in the map, if
    `but` holds as well."""
    return ["http-request return status 404 content-type text/plain string "
            f'"{nobody}\\n" unless {{ {key},map("{ROUTES}") -m found }}{but}',
            f'use_backend "%[{key},map({ROUTES})]"']


def _section(title, lines):
    return "\n".join([title, *(f"    {line}" for line in lines)])
