"""A program that every later command finds again, by a file.

The file holds the program's number and the moment of its start, so a number
that the kernel has given away since is never taken for it. The program writes
the file itself before it becomes what it is: there is no moment in which it
runs and is not on file, whatever happens to the one who started it.

It leads a session of its own, and what it starts belongs to that; the kernel
gives a session's number to nobody else while a member of it lives.
"""

import os
import signal
import subprocess
import time

from wait import PAUSE

KILL_SECONDS = 10


class Process:
    """At most one running program, known by the file `file`."""

    def __init__(self, file):
        self._file = file

    def start(self, command, log, tied=False):
        """Starts it, its output added to `log`. One that is `tied` is told by
        the kernel to end when the caller does."""
        tie = ["setpriv", "--pdeathsig", "TERM"] if tied else []
        with open(log, "ab") as output:
            subprocess.Popen([*tie, *command], stdin=subprocess.DEVNULL,
                             stdout=output, stderr=output,
                             start_new_session=True, preexec_fn=self._record)

    def _record(self):
        """In the new process, before its program."""
        pid = os.getpid()
        with open(f"{self._file}.new", "w") as file:
            file.write(f"{pid} {_look(pid).start}\n")
        os.rename(f"{self._file}.new", self._file)

    def forget(self):
        """Removes the file: it is not meant to run."""
        if os.path.exists(self._file):
            os.unlink(self._file)

    @property
    def pid(self):
        """The number of the last one started, dead or not; 0 without one."""
        return self._identity()[0]

    def _identity(self):
        try:
            with open(self._file) as file:
                pid, start = file.read().split()
                return int(pid), int(start)
        except (OSError, ValueError):
            return 0, 0

    def state(self):
        """running, frozen, dead (nobody stopped it), or stopped."""
        pid, start = self._identity()
        if not pid:
            return "stopped"
        found = _look(pid)
        if found is None or found.start != start or found.ended:
            return "dead"
        return "frozen" if found.frozen else "running"

    def runs(self):
        return self.state() in ("running", "frozen")

    def members(self):
        """The numbers of the living processes that are it or come from it."""
        pid, start = self._identity()
        leader = _look(pid) if pid else None
        if not pid or leader and leader.start != start:
            return []
        found = ((one, _look(one)) for one in _numbers())
        return [one for one, process in found
                if process and process.session == pid
                and process.start >= start and not process.ended]

    def send(self, number):
        """Sends a signal to the program alone."""
        if self.runs():
            _kill(self.pid, number)

    def send_all(self, number):
        """Sends a signal to it and to all that comes from it."""
        for pid in self.members():
            _kill(pid, number)

    def kill(self):
        """Ends it without a word, and waits until it is gone."""
        end = time.monotonic() + KILL_SECONDS
        while self.members():
            self.send_all(signal.SIGKILL)
            if time.monotonic() > end:
                raise TimeoutError(f"{self._file}: it does not go")
            time.sleep(PAUSE)

    def ask(self):
        """Asks it to end, also when somebody froze it."""
        self.send(signal.SIGTERM)
        self.send_all(signal.SIGCONT)

    def end(self, seconds):
        """Waits for it to end, by force after `seconds`. Returns whether that
        was needed."""
        end = time.monotonic() + seconds
        while self.members() and time.monotonic() < end:
            time.sleep(PAUSE)
        forced = bool(self.members())
        self.kill()
        self.forget()
        return forced


class _Found:
    """What the kernel says of a process."""

    def __init__(self, text):
        fields = text.rpartition(")")[2].split()
        self.ended = fields[0] in "ZX"
        self.frozen = fields[0] in "Tt"
        self.session = int(fields[3])
        self.start = int(fields[19])


def _look(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return _Found(file.read())
    except OSError:
        return None


def _numbers():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
