"""One piece of the sandbox: a program on a machine, its files and its end."""

import os

from process import Process

STOP_SECONDS = 8


class Piece:
    """A program: what differs is in the kinds (zookeeper, service, nerve,
    haproxy), each of which says these five things."""

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
        """What it says of itself; empty where it says nothing."""
        raise NotImplementedError

    def ready(self):
        """Whether it does all that it can, as things are."""
        return bool(self.says())

    def __init__(self, stack, machine):
        self.stack = stack
        self.machine = machine
        self.process = Process(self.file(f"{self.kind}.pid"))

    @property
    def name(self):
        return f"{self.machine.name} {self.kind}"

    def file(self, *names):
        """One of the machine's files, relative to the repository's root."""
        return self.stack.path(self.machine, *names)

    @property
    def log(self):
        return self.file(f"{self.kind}.log")

    def last_words(self, count=20):
        """The end of its log."""
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
        """Waits for its end. Returns what was wrong with that, or nothing."""
        if self.process.end(STOP_SECONDS):
            return f"{self.name} did not end on SIGTERM"
        return ""
