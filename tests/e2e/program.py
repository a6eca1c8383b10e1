"""Where the programs under test are."""

import os

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, "build")
NERVE = os.path.join(BUILD, "nerve")
MODULE = os.path.join(BUILD, "zookeeper.so")
AGENT = os.path.join(ROOT, "haproxy", "synapse.lua")
