"""A piece of the sandbox: a program on a machine, and its files."""

import os

from process import Process

STOP_SECONDS = 8


class Piece:
    """A program. Each kind (zookeeper, service, nerve, haproxy) has its own
    version of these five methods."""

    kind = ""

    def configure(self):
        """Writes its files."""

    def command(self):
        """Returns the command that starts it."""
        raise NotImplementedError

    def where(self):
        """Returns the address that it listens on, or what it watches."""
        raise NotImplementedError

    def says(self):
        """Returns what it reports; empty if it reports nothing."""
        raise NotImplementedError

    def ready(self):
        """Tells whether it does all that it can do in the current state."""
        return bool(self.says())

    def __init__(self, stack, machine):
        self.stack = stack
        self.machine = machine
        self.process = Process(self.file(f"{self.kind}.pid"))

    @property
    def name(self):
        return f"{self.machine.name} {self.kind}"

    def file(self, *names):
        """Returns the path of one of the machine's files below the
        repository's root."""
        return self.stack.path(self.machine, *names)

    @property
    def log(self):
        return self.file(f"{self.kind}.log")

    def last_words(self, count=20):
        """Returns the end of its log."""
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as log:
            return "".join(log.readlines()[-count:]).rstrip()

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.file(name)), exist_ok=True)
        with open(self.file(name), "w") as file:
            file.write(text)

    def start(self, tied=False):
        self.process.start(self.command(), self.log, tied)

    def finish(self):
        """Waits until it has ended. Returns a sentence if it had to be
        killed."""
        if self.process.end(STOP_SECONDS):
            return f"{self.name} did not end on SIGTERM"
        return ""
