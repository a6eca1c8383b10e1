"""The built nerve, with a configuration in airbnb's format."""

import json
import os
import signal
import subprocess

import program
import wait

# Short, so that a fault longer than three timeouts fits in a test.
SESSION_TIMEOUT = 3
CHECK_INTERVAL = 0.1


def http_check(**more):
    """Returns a check of /health that runs often but waits long enough."""
    return {"type": "http", "uri": "/health", "timeout": 1, "rise": 1,
            "fall": 2, **more}


def watched(service, zookeeper, path, **more):
    """Returns the entry in `services` for a running service."""
    return {"host": service.host, "port": service.port,
            "zk_hosts": zookeeper.addresses, "zk_path": path,
            "check_interval": CHECK_INTERVAL, "checks": [http_check()],
            **more}


class Nerve:
    """A nerve, which may end and be started again."""

    def __init__(self, sandbox, instance_id, services, start=True, **more):
        self.instance_id = instance_id
        self._sandbox = sandbox
        self.configure(services, **more)
        self.process = None
        if start:
            self.start()

    def configure(self, services, **more):
        """Writes the configuration. nerve reads it at its start or reload."""
        self.write(json.dumps(
            {"instance_id": self.instance_id,
             "session_timeout": SESSION_TIMEOUT, "services": services,
             **more}, indent=2))

    def write(self, text):
        self.file = self._sandbox.write(f"nerve-{self.instance_id}.json",
                                        text)

    def reload(self, services=None, says="reloaded as", **more):
        """Reloads it with these services, and waits for the log line about
        that."""
        if services is not None:
            self.configure(services, **more)
        before = len(self.process.lines(says))
        self.process.send(signal.SIGHUP)
        wait.until(lambda: len(self.process.lines(says)) > before, 10,
                   f"nerve says {says!r} once more")

    def start(self, binary=program.NERVE, **options):
        self.process = self._sandbox.run(
            f"nerve-{self.instance_id}", [binary, "-c", self.file],
            **options)


def check(file):
    """Runs `nerve -k -c FILE`; returns its status and all it printed."""
    done = subprocess.run([program.NERVE, "-k", "-c", os.fspath(file)],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr
