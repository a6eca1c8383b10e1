"""A program under test: it has a process group of its own, writes to a file,
and is stopped by its id."""

import ctypes
import os
import re
import signal
import subprocess

import wait

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def freeze(pid):
    """Stops a process until SIGCONT. Each thread stops by itself, a little
    after the signal."""
    os.kill(pid, signal.SIGSTOP)
    wait.until(lambda: _states(pid) == {"T"}, 10, f"{pid} is stopped")


def _states(pid):
    """Returns the states of a process's threads, as letters."""
    states = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/stat") as file:
                states.add(file.read().rpartition(")")[2].split()[0])
        except OSError:
            pass  # it has just ended
    return states


class Process:
    """A running program. `log` has its standard output and error."""

    def __init__(self, name, argv, log, env=None, limit=None, errors=None):
        """Starts `argv`. `limit()` runs in the child before the program and
        sets resource limits. With `errors`, a descriptor, standard error goes
        there and not to the log."""
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            self._child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT if errors is None else errors,
                env=env, start_new_session=True,
                preexec_fn=lambda: _prepare(limit))
        self.pid = self._child.pid

    def alive(self):
        return self._child.poll() is None

    @property
    def status(self):
        """Returns the exit status as subprocess gives it, or None while it
        runs."""
        return self._child.poll()

    def send(self, number):
        assert self.alive(), f"{self.name} has ended: {self.status}"
        os.kill(self.pid, number)

    def freeze(self):
        assert self.alive(), f"{self.name} has ended: {self.status}"
        freeze(self.pid)

    def thaw(self):
        self.send(signal.SIGCONT)

    def ended(self, seconds):
        """Waits for the end and returns the status."""
        try:
            return self._child.wait(seconds * wait.FACTOR)
        except subprocess.TimeoutExpired:
            raise wait.Late(f"{self.name} still runs after "
                            f"{seconds * wait.FACTOR:g} s") from None

    def stop(self, number=signal.SIGTERM, seconds=10):
        """Sends it a signal, waits for its end, and returns the status."""
        self.send(number)
        return self.ended(seconds)

    def kill(self):
        return self.stop(signal.SIGKILL)

    def group(self):
        """Returns the ids of all living processes of its group."""
        return [pid for pid in map(int, filter(str.isdigit,
                                               os.listdir("/proc")))
                if _group_of(pid) == self.pid]

    def close(self):
        """Ends all its processes. Returns a sentence about what had to be
        killed, or None if it ended when asked."""
        trouble = None
        if self.alive():
            os.killpg(self.pid, signal.SIGCONT)
            try:
                self.stop()
            except wait.Late as late:
                trouble = str(late)
        left = self._kill_rest()
        return trouble or left

    def _kill_rest(self):
        try:
            wait.until(lambda: not self.group(), 5, "the group is empty")
            return None
        except wait.Late:
            left = self.group()
            os.killpg(self.pid, signal.SIGKILL)
            self._child.wait()
            return f"{self.name} left processes behind: {left}"

    def text(self):
        """Returns all that it has printed."""
        with open(self.log, errors="replace") as log:
            return log.read()

    def lines(self, pattern):
        """Returns the printed lines that match `pattern`."""
        return [line for line in self.text().splitlines()
                if re.search(pattern, line)]

    def says(self, pattern, seconds=10):
        """Waits for a line that matches `pattern` and returns it."""
        return wait.until(lambda: self.lines(pattern), seconds,
                          f"{self.name} prints {pattern!r}")[-1]


def _prepare(limit):
    """Runs in the child: it ends when the test run ends, however that ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if limit:
        limit()


def _group_of(pid):
    """Returns the process group of a living process, else None."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            state, _, group = stat.read().rpartition(")")[2].split()[:3]
    except OSError:
        return None
    return int(group) if state != "Z" else None
