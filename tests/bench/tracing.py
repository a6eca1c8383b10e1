"""How many system calls a process makes."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile

import wait


def calls(pid, action):
    """The number of system calls of all threads of a process during
    `action()`."""
    with tempfile.NamedTemporaryFile(mode="r") as table:
        with subprocess.Popen(["strace", "-f", "-c", "-o", table.name, "-p",
                               str(pid)], stderr=subprocess.PIPE,
                              text=True) as strace:
            try:
                wait.until(lambda: _is_traced(pid), 20, "strace is attached")
                action()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    strace.send_signal(signal.SIGINT)
                strace.communicate(timeout=20 * wait.FACTOR)
        return total(table.read())


def total(table):
    """The calls in the last line of the table of strace -c, 0 without one."""
    found = re.search(r"^ *100\.00 +\S+ +(?:\d+ +)?(\d+) +(?:\d+ +)?total$",
                      table, re.M)
    return int(found[1]) if found else 0


def _is_traced(pid):
    """Whether every thread of a process has a tracer."""
    def tracer(task):
        with open(f"/proc/{pid}/task/{task}/status") as file:
            return int(re.search(r"^TracerPid:\s+(\d+)", file.read(), re.M)[1])

    return all(map(tracer, os.listdir(f"/proc/{pid}/task")))
