"""Complete chains with two services."""

import os

from kazoo.recipe.watchers import ChildrenWatch, DataWatch

import wait
from haproxy import CHECKED, web
from nerve import SESSION_TIMEOUT, watched
from zookeeper import children, register


class Site:
    """Two registered services behind one HAProxy, over a ZooKeeper that may be
    stopped."""

    def __init__(self, sandbox, path, server=CHECKED, **options):
        self.path = path
        self.server = sandbox.zookeeper()
        self.client = self.server.client()
        self.services = [sandbox.service(name) for name in ("one", "two")]
        for it in self.services:
            register(self.client, path, it.payload(it.name))
        self.proxy = sandbox.haproxy([web(self.server, path, server=server)],
                                     **options)
        self.proxy.serves(self.services)
        if options.get("snapshot", True):
            self.proxy.remembers(self.services)

    def descriptors(self):
        """How many descriptors the master has open."""
        return len(os.listdir(f"/proc/{self.proxy.process.pid}/fd"))


class Chain:
    """Two services with a nerve each, one HAProxy, one ZooKeeper."""

    def __init__(self, sandbox, path, timeout=SESSION_TIMEOUT, server=None,
                 **service):
        self.path = path
        self.server = server or sandbox.zookeeper()
        self.client = self.server.client()
        self.services = [sandbox.service(name) for name in ("one", "two")]
        self.nerves = [sandbox.nerve(it.name, {"web": watched(
            it, self.server, path)}, session_timeout=timeout)
            for it in self.services]
        self.proxy = sandbox.haproxy(
            [web(self.server, path, service=service)],
            synapse={"session_timeout": timeout})
        self.proxy.serves(self.services)
        # HAProxy's server of an ensemble may know more than kazoo's.
        self.client.sync(path)
        self.state = self.look()
        self.workers = self.proxy.workers()

    def payloads(self):
        return sorted(it.payload(it.name) for it in self.services)

    def look(self):
        """Returns what an operator sees of the backend's servers."""
        return {name: (row["addr"], row["status"].split()[0], row["weight"])
                for name, row in self.proxy.servers().items()}

    def lives_on(self):
        """Asserts that no program has ended and no server has changed."""
        assert self.look() == self.state
        assert self.proxy.workers() == self.workers
        return all(it.process.alive() for it in (*self.nerves, self.proxy))

    def watch(self):
        """Returns a list to which every event on the registrations is
        appended."""
        seen = []
        ChildrenWatch(self.client, self.path, send_event=True,
                      func=lambda _, event: note(seen, event))
        for name in children(self.client, self.path):
            DataWatch(self.client, f"{self.path}/{name}",
                      func=lambda data, stat, event: note(seen, event))
        return seen

    def reconnected(self):
        wait.until(lambda: self.client.connected, 20, "kazoo is connected")
        wait.until(lambda: self.server.connections() >= 4, 20,
                   "kazoo, two nerves and the agent are connected")


def note(seen, event):
    if event is not None:
        seen.append(event)
