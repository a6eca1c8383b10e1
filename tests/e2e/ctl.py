"""nerve ctl, as an operator or a supervisor uses it."""

import json
import subprocess

import program
import wait


def controlled(sandbox, name):
    """Returns the keys of a nerve's configuration that `nerve ctl` needs."""
    return {"control_socket": sandbox.path(f"{name}.sock"),
            "holds_path": sandbox.path(f"{name}.holds.json")}


def ask(nerve, *words):
    """Runs `nerve ctl WORDS`; returns its exit status and all it printed."""
    done = subprocess.run(command(nerve, *words), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True,
                          timeout=60 * wait.FACTOR)
    return done.returncode, done.stdout + done.stderr


def command(nerve, *words):
    return [program.NERVE, "ctl", "-c", nerve.file, *words]


def begin(sandbox, name, nerve, *words):
    """Starts `nerve ctl WORDS` and returns its process."""
    return sandbox.run(name, command(nerve, *words))


def done(nerve, *words):
    """Runs `nerve ctl WORDS`, which must succeed; returns what it printed."""
    status, text = ask(nerve, *words)
    assert status == 0, f"nerve ctl {' '.join(words)}: {status}: {text}"
    return text


def status(nerve, name="web"):
    """Returns the status of one service from the JSON output."""
    services = json.loads(done(nerve, "status", "--json"))["services"]
    return next(it for it in services if it["name"] == name)
