"""A program that every later command finds again by a file.

The file has the process id and the time of the start, so another process that
gets the same id later is never mistaken for the program. The new process
writes the file before it runs the program, so no program ever runs without a
file, even if its starter was killed.

The program leads a session, and what it starts is in the same session. The
kernel does not reuse the session's id while any process of it lives.
"""

import os
import signal
import subprocess
import time

from wait import PAUSE

KILL_SECONDS = 10


class Process:
    """At most one running program, found by the file `file`."""

    def __init__(self, file):
        self._file = file

    def start(self, command, log, tied=False):
        """Starts it; its output is appended to `log`. If `tied`, the kernel
        ends it when the caller ends."""
        tie = ["setpriv", "--pdeathsig", "TERM"] if tied else []
        with open(log, "ab") as output:
            subprocess.Popen([*tie, *command], stdin=subprocess.DEVNULL,
                             stdout=output, stderr=output,
                             start_new_session=True, preexec_fn=self._record)

    def _record(self):
        """Writes the file. Runs in the new process, before the program."""
        pid = os.getpid()
        with open(f"{self._file}.new", "w") as file:
            file.write(f"{pid} {_look(pid).start}\n")
        os.rename(f"{self._file}.new", self._file)

    def forget(self):
        """Removes the file: the program is not meant to run."""
        if os.path.exists(self._file):
            os.unlink(self._file)

    @property
    def pid(self):
        """Returns the id of the last process, alive or not; 0 if there was
        none."""
        return self._identity()[0]

    def _identity(self):
        try:
            with open(self._file) as file:
                pid, start = file.read().split()
                return int(pid), int(start)
        except (OSError, ValueError):
            return 0, 0

    def state(self):
        """Returns running, frozen, dead (nobody stopped it) or stopped."""
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
        """Returns the ids of the living processes of its session."""
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
        """Sends a signal to the program and to all processes of its
        session."""
        for pid in self.members():
            _kill(pid, number)

    def kill(self):
        """Kills it and waits until it is gone."""
        end = time.monotonic() + KILL_SECONDS
        while self.members():
            self.send_all(signal.SIGKILL)
            if time.monotonic() > end:
                raise TimeoutError(f"{self._file}: it does not go")
            time.sleep(PAUSE)

    def ask(self):
        """Asks it to end, even if it is frozen."""
        self.send(signal.SIGTERM)
        self.send_all(signal.SIGCONT)

    def end(self, seconds):
        """Waits until it has ended, and kills it after `seconds`. Returns
        whether that was necessary."""
        end = time.monotonic() + seconds
        while self.members() and time.monotonic() < end:
            time.sleep(PAUSE)
        forced = bool(self.members())
        self.kill()
        self.forget()
        return forced


class _Found:
    """What the kernel knows of a process."""

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
