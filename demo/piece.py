"""One piece of the sandbox: a program on a machine, its files and its end.

Each piece is a process group of its own, so that Ctrl-C reaches the sandbox
only, which ends the pieces in order. They are told by the kernel when the
sandbox itself dies, so not even `kill -9` of it leaves one behind.
"""

import os
import signal
import subprocess
import time

from wait import PAUSE

STOP_SECONDS = 5


class Piece:
    """A program: what differs is in the kinds (zookeeper, service, nerve,
    haproxy), each of which says these four things."""

    kind = ""

    def configure(self):
        """Writes its files."""

    def command(self):
        """What starts it."""
        raise NotImplementedError

    def where(self):
        """The address that it answers on, or what it watches."""
        raise NotImplementedError

    def says(self):
        """What it says of itself; empty until it does its work."""
        raise NotImplementedError

    def __init__(self, stack, machine):
        self.stack = stack
        self.machine = machine
        self._child = None

    @property
    def name(self):
        return f"{self.machine.name} {self.kind}"

    @property
    def pid(self):
        return self._child.pid

    def file(self, *names):
        """One of the machine's files, relative to the repository's root."""
        return self.stack.path(self.machine, *names)

    @property
    def log(self):
        return self.file(f"{self.kind}.log")

    def last_words(self, count=20):
        """The end of its log."""
        with open(self.log, errors="replace") as log:
            return "".join(log.readlines()[-count:]).rstrip()

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.file(name)), exist_ok=True)
        with open(self.file(name), "w") as file:
            file.write(text)

    def start(self):
        command = ["setpriv", "--pdeathsig", "TERM", *self.command()]
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)

    def end(self):
        """How it has ended, in words; empty while it runs. Its id stays its
        own (it is not reaped) until `finish`."""
        if self._child is None:
            return ""
        found = os.waitid(os.P_PID, self.pid,
                          os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return ""
        if found.si_code == os.CLD_EXITED:
            return f"exit status {found.si_status}"
        return f"killed by {signal.Signals(found.si_status).name}"

    def ask_to_stop(self):
        """Asks it to stop, also when somebody froze it."""
        if self._child:
            os.kill(self.pid, signal.SIGTERM)
            os.killpg(self.pid, signal.SIGCONT)

    def finish(self):
        """Waits for its end and frees its id; ends by force what does not
        go. Returns what was wrong with that, or nothing."""
        if self._child is None:
            return ""
        deadline = time.monotonic() + STOP_SECONDS
        while not self.end() and time.monotonic() < deadline:
            time.sleep(PAUSE)
        stuck = not self.end()
        os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()
        self._child = None
        return f"{self.name} did not end on SIGTERM" if stuck else ""
