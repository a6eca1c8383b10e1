"""The built nerve, with a configuration as airbnb's nerve takes it."""

import json
import os
import subprocess

import program

# Short, so that faults longer than three of them fit in a test.
SESSION_TIMEOUT = 3
CHECK_INTERVAL = 0.1


def http_check(**more):
    """A check of /health that is quick and patient at once."""
    return {"type": "http", "uri": "/health", "timeout": 1, "rise": 1,
            "fall": 2, **more}


def watched(service, zookeeper, path, **more):
    """The entry of `services` for a running service."""
    return {"host": service.host, "port": service.port,
            "zk_hosts": [zookeeper.hosts], "zk_path": path,
            "check_interval": CHECK_INTERVAL, "checks": [http_check()],
            **more}


class Nerve:
    """One nerve, which may end and be started again."""

    def __init__(self, sandbox, instance_id, services, start=True, **more):
        self.instance_id = instance_id
        self._sandbox = sandbox
        self.file = sandbox.write(f"nerve-{instance_id}.json", json.dumps(
            {"instance_id": instance_id, "session_timeout": SESSION_TIMEOUT,
             "services": services, **more}, indent=2))
        self.process = None
        if start:
            self.start()

    def start(self, **options):
        self.process = self._sandbox.run(
            f"nerve-{self.instance_id}", [program.NERVE, "-c", self.file],
            **options)


def check(file):
    """Runs `nerve -k -c FILE`; returns its status and all it printed."""
    done = subprocess.run([program.NERVE, "-k", "-c", os.fspath(file)],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr
