"""What is in ZooKeeper, read by Myelin's own module in plain Lua."""

import os
import subprocess

from machines import ROOT, lua, registrations

SECONDS = 20


def look(stack, verb, path):
    """Does `ls`, `get` or `stat` of a znode; returns the status, what was
    printed, and what was said of trouble."""
    program, more = ("ls", []) if verb == "ls" else (
        "get", ["stat"] if verb == "stat" else [])
    command = ["timeout", str(SECONDS), f"lua{lua()}",
               os.path.join(ROOT, "csrc", "examples", f"{program}.lua"),
               ",".join(stack.ensemble()), path, *more]
    path = os.path.join(ROOT, f"build/lua{lua()}/?.so;;")
    done = subprocess.run(command, env={**os.environ, "LUA_CPATH": path},
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    return done.returncode, done.stdout, done.stderr


def registered(stack, service):
    """The names of the znodes of a service; none where nobody answers."""
    return look(stack, "ls", registrations(service))[1].split()


def owner(name):
    """The machine that a znode's name speaks of."""
    return name.rpartition("_")[0]
