"""The floor of the agent: follow.c, which moves a plain HAProxy."""

import os
import signal

import processor
import program
import wait

PATIENCE = 60


class Follow:
    """follow.c at work for the backends of `proxy`, a HAProxy without the
    agent. `paths` are those of their instances, by the backend's name."""

    def __init__(self, sandbox, hosts, proxy, paths):
        self.proxy = proxy
        services = "".join(
            f"{backend.name} {paths[backend.name]} {backend.slots}\n"
            for backend in proxy.backends if backend.name in paths)
        self.process = sandbox.run(f"follow-{proxy.name}", [
            os.path.join(program.BUILD, "bench", "follow"), hosts,
            proxy.socket, sandbox.write(f"{proxy.name}.services", services)])
        self.process.says("^ready$", PATIENCE)
        [self._worker] = proxy.workers()

    def used(self):
        """Seconds of a processor: its own, and those of HAProxy's worker."""
        return processor.used(self.process.pid) + processor.used(self._worker)

    def tally(self):
        """The microseconds of its longest line of commands, and how many
        commands, lines and requests there were since the last tally."""
        before = len(self._tallies())
        self.process.send(signal.SIGUSR1)
        tallies = wait.until(
            lambda: (lines := self._tallies())[before:] and lines, PATIENCE,
            "a tally")
        return tuple(map(int, tallies[-1].split()))

    def _tallies(self):
        return self.process.lines(r"^(\d+ ){3}\d+$")
