"""Where the programs under test are. B=build-address tests another build."""

import os

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("B") or "build")
NERVE = os.path.join(BUILD, "nerve")
MODULE = os.path.join(ROOT, "build", "zookeeper.so")
AGENT = os.path.join(ROOT, "haproxy", "synapse.lua")
