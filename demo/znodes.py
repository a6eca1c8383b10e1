"""Reads ZooKeeper with Myelin's own module in plain Lua."""

import os
import subprocess

from machines import ROOT, lua, registrations

SECONDS = 20


def look(stack, verb, path):
    """Runs `ls`, `get` or `stat` on a znode. Returns the exit status, the
    output and the errors."""
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
    """Returns the names of a service's znodes; none if no server answers."""
    return look(stack, "ls", registrations(service))[1].split()


def owner(name):
    """Returns the machine that a znode's name begins with."""
    return name.rpartition("_")[0]
