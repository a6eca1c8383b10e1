"""A HAProxy with blank backends, as synapse-haproxy-cfg writes them."""

import json
import os
import re
import subprocess

import address
import program
import wait
from haproxy import CHECKED, web
from status import Status
from zookeeper import register

GENERATOR = (program.LUA, f"{program.ROOT}/haproxy/synapse-haproxy-cfg")


class Site:
    """A HAProxy whose haproxy.cfg is made by synapse-haproxy-cfg: the service
    web has a backend of its own; `backends` blank ones for http with the lines
    `backend` and `more` keys, and one for tcp."""

    def __init__(self, sandbox, healthy, witness, path, backends=2,
                 backend=(), **more):
        self.path = path
        self.client = witness
        self.hosts = healthy.addresses
        self.http, self.tcp = address.ports(4), address.ports(2)
        self.proxy = sandbox.haproxy(
            [web(healthy, f"{path}/web")], start=False, status=True)
        self.socket = os.path.join(self.proxy.directory, "new.sock")
        self.services = {}
        self.rest = {
            "session_timeout": 4, "runtime_changes": True,
            "haproxy": {
                "state_file_path": self.proxy.snapshot,
                "bind_address": address.HOST,
                "global": [
                    "log stderr format raw local0", "nbthread 2",
                    "hard-stop-after 30s", *map(
                        str.strip, self.proxy._privileges()),
                    f"stats socket {self.proxy.socket} mode 600 level admin "
                    "expose-fd listeners"],
                "defaults": [
                    "mode http", "log global", "option httplog",
                    "option dontlog-normal", "option redispatch 1",
                    "retries 3", "timeout connect 1s", "timeout client 60s",
                    "timeout server 60s", "timeout queue 5s"],
                "spare": {
                    "web": {"backends": backends, "slots": 4,
                            "ports": address.span(self.http),
                            "sockets": [self.socket],
                            "server_options": CHECKED,
                            "backend": ["option httpchk GET /health",
                                        *backend], **more},
                    "raw": {"mode": "tcp", "backends": 1, "slots": 4,
                            "ports": address.span(self.tcp),
                            "server_options": CHECKED}}}}
        self.add("web", self.proxy.port)
        self.write()
        self.make()
        self.proxy.start()

    def service(self, name, port, *lines, path=None, **haproxy):
        lines = lines or ("option httpchk GET /health",)
        return {"discovery": {"method": "zookeeper", "hosts": self.hosts,
                              "path": f"{self.path}/{path or name}"},
                "haproxy": {"port": port, "slots": 4,
                            "server_options": CHECKED,
                            "listen": list(lines), **haproxy}}

    def add(self, name, port, *lines, **more):
        self.services[name] = self.service(name, port, *lines, **more)

    def register(self, service, name):
        register(self.client, f"{self.path}/{name}",
                 service.payload(service.name))

    def write(self):
        """Writes synapse.conf.json as editors and package managers do it."""
        new = self.proxy.synapse_file + ".new"
        with open(new, "w") as file:
            json.dump({**self.rest, "services": self.services}, file)
        os.rename(new, self.proxy.synapse_file)

    def make(self):
        """Makes haproxy.cfg of synapse.conf.json."""
        done = subprocess.run(
            [*GENERATOR, "-c", self.proxy.synapse_file, "-o", self.proxy.file,
             "-s", f"{address.HOST}:{self.proxy.status_port}"],
            text=True, capture_output=True, timeout=60 * wait.FACTOR)
        assert done.returncode == 0, done.stderr

    def reload(self):
        return self.proxy.ask("synapse reload").strip()

    def get(self, port, path="/"):
        return self.proxy.get(path, port)

    def answers(self, port, name):
        wait.until(lambda: self.get(port) == (200, name), 10,
                   f"{name} answers on {port}")

    def backend(self, name):
        """Returns the backend of a service, None while it has none."""
        told = json.loads(self.proxy.ask("show synapse json"))
        for it in told["services"]:
            if it["service"] == name:
                return it["backend"]
        return None

    def blanks(self, state, kind="spare-web"):
        text = Status(self.proxy).ask("/metrics")[1]
        [number] = re.findall(
            rf'^synapse_spare_backends\{{kind="{kind}",state="{state}"\}} '
            r"(\d+)$", text, re.M)
        return int(number)

    def has_blanks(self, number, state="free", kind="spare-web"):
        wait.until(lambda: self.blanks(state, kind) == number, 10,
                   f"{number} of {kind} are {state}")
