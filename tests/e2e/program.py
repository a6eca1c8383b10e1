"""The paths of the programs under test."""

import os
import subprocess

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, "build")
NERVE = os.path.join(BUILD, "nerve")

def _lua():
    """Returns the version of the Lua in the HAProxy in PATH."""
    return subprocess.run([os.path.join(ROOT, ".ci", "lua")], check=True,
                          text=True, stdout=subprocess.PIPE).stdout.strip()


LUA_VERSION = os.environ.get("LUA") or _lua()
LUA = f"lua{LUA_VERSION}"
MODULE = os.path.join(BUILD, LUA, "zookeeper.so")
AGENT = os.path.join(ROOT, "haproxy", "synapse.lua")
