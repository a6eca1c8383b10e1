"""The sandbox's network of loopback addresses, one for each test run. They are
below those of address.py, so that neither another run's sandbox nor its other
programs use them."""

import os
import re

import program

NETWORK = f"127.{64 + os.getpid() // 256 % 64}.{os.getpid() % 256}"
FOLDER = os.path.join(program.ROOT, "build", "demo", NETWORK)


def living():
    """Returns the ids of the sandbox's processes: each command line has its
    address or its folder."""
    return [int(pid) for pid in filter(str.isdigit, os.listdir("/proc"))
            if re.search(rf"{re.escape(NETWORK)}[./]", _arguments(pid))]


def _arguments(pid):
    try:
        with open(f"/proc/{pid}/cmdline", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
