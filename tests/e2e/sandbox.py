"""Starts everything that one test needs, in one directory, and ends it."""

import os
import shutil
import tempfile

from haproxy import HAProxy
from load import Load
from nerve import Nerve
from process import Process
from quorum import Ensemble
from service import Crowd, Service
from zookeeper import ZooKeeper


living = []  # the sandboxes whose logs a failing test shows


class Sandbox:
    """Starts programs and ends them all, the newest first."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="myelin-e2e-")
        self.processes = []
        self._closers = []
        self._last = []
        living.append(self)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def at_end(self, action):
        """Runs `action` when the sandbox closes."""
        self._closers.append(action)

    def at_last(self, action):
        """Runs `action` once every process has ended."""
        self._last.append(action)

    def write(self, name, text):
        """Writes a file of the sandbox; returns its path."""
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def run(self, name, argv, **options):
        """Starts a program whose output goes to NAME.log."""
        process = Process(name, argv, self.path(f"{name}.log"), **options)
        self.processes.append(process)
        return process

    def zookeeper(self, name="zookeeper", lines=()):
        server = ZooKeeper(self, name, lines)
        self.at_end(server.close)
        server.start()
        return server

    def ensemble(self, **options):
        made = Ensemble(self, **options)
        self.at_end(made.close)
        made.start()
        return made

    def service(self, name, **options):
        return Service(self, name, **options)

    def crowd(self, name, count):
        return Crowd(self, name, count)

    def nerve(self, instance_id, services, **options):
        return Nerve(self, instance_id, services, **options)

    def haproxy(self, backends, **options):
        return HAProxy(self, backends, **options)

    def load(self, proxy, name="requests"):
        return Load(proxy.host, proxy.port, name)

    def logs(self):
        """Returns what all programs have printed: (name, text), oldest
        first."""
        for name in sorted(os.listdir(self.directory)):
            if name.endswith(".log"):
                with open(self.path(name), errors="replace") as log:
                    yield name, log.read()

    def close(self):
        """Ends everything. Returns a sentence for each program that did not
        end when asked or left something behind."""
        steps = [*self._closers,
                 *(process.close for process in reversed(self.processes)),
                 *self._last]
        living.remove(self)
        return list(filter(None, map(_trouble, steps)))

    def remove(self):
        shutil.rmtree(self.directory)


def _trouble(step):
    """Does one step of the end; the next one follows even if this one
    fails."""
    try:
        result = step()
    except Exception as error:  # one that fails must not keep the others
        return repr(error)
    return result if isinstance(result, str) else None
