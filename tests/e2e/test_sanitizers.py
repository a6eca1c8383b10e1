"""nerve under churn, built with each sanitizer and under valgrind, all at once
on the same services and the same ZooKeeper.

A round, and five where HOLD_SECONDS asks for the long forms.
"""

import os
import subprocess

import pytest

import program
import wait
from metrics import Pages
from nerve import SESSION_TIMEOUT, http_check, watched
from zookeeper import children, registrations

ROUNDS = 5 if os.environ.get("HOLD_SECONDS") else 1
SERVICES = 4

# The client library is not built with a sanitizer: what it does by itself is
# not ours to judge.
SANITIZERS = {
    "address": {"LSAN_OPTIONS": "suppressions={}/leaks.supp"},
    "undefined": {"UBSAN_OPTIONS": "print_stacktrace=1"},
    "thread": {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1"},
}
VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--fair-sched=yes",
            "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite"]
REPORT = r"Sanitizer|runtime error|^==\d+=="


def built(kind):
    """Builds nerve with a sanitizer; returns the binary."""
    binary = f"build-{kind}/nerve"
    subprocess.run(["make", "-s", f"SANITIZE={kind}", binary],
                   cwd=program.ROOT, check=True, timeout=600)
    return os.path.join(program.ROOT, binary)


@pytest.fixture(scope="module")
def commands():
    """How each kind is started: the command, and the environment."""
    here = os.path.dirname(__file__)
    found = {kind: ([built(kind)],
                    {name: text.format(here) for name, text in more.items()})
             for kind, more in SANITIZERS.items()}
    return {**found, "valgrind": ([*VALGRIND, program.NERVE], {})}


class Subject:
    """One nerve of a kind, which has all of the services."""

    def __init__(self, kind, command, sandbox, services, server, path):
        argv, more = command
        self.path = f"{path}/{kind}"
        self.pages = Pages()
        self.wanted = sorted(it.payload(kind) for it in services)
        checks = [{"type": "tcp", "timeout": 2}, http_check(timeout=2)]
        if kind != "valgrind":  # it does not know pidfd_open
            checks.append({"type": "exec", "command": ["/bin/true"],
                           "timeout": 5})
        self._services = {it.name: watched(
            it, server, self.path, checks=checks, check_interval=0.3)
            for it in services}
        self._more = {"metrics_listen": self.pages.listen,
                      "statsd": {"host": "127.0.0.1", "port": 9}}
        self.nerve = sandbox.nerve(kind, self._services, start=False,
                                   **self._more)
        self.nerve.process = sandbox.run(
            f"nerve-{kind}", [*argv, "-c", self.nerve.file],
            env={**os.environ, **more})

    def reload(self):
        changed = {name: {**entry, "weight": 7}
                   for name, entry in self._services.items()}
        self.nerve.reload(changed, **self._more)
        self.nerve.reload(self._services, **self._more)

    def is_whole(self, client):
        return registrations(client, self.path) == self.wanted


def until_all(subjects, condition, what):
    for subject in subjects:
        wait.until(lambda it=subject: condition(it), 60, what)


def churn(subjects, services, server, client):
    """Every fault of one round."""
    for service in services:
        service.set_health("down")
    until_all(subjects, lambda it: not children(client, it.path),
              "all are gone")
    services[0].set_health("hang")
    services[1].process.kill()
    for service in services[2:]:
        service.set_health("up")
    until_all(subjects, lambda it: len(children(
        client, it.path)) == SERVICES - 2, "the others are back")
    services[1].start()
    for subject in subjects:
        for name in children(client, subject.path):
            client.delete(f"{subject.path}/{name}")
        subject.reload()
    server.stop()
    until_all(subjects, lambda it: it.pages.ask("/health")[0] == 503,
              "ZooKeeper is missed")
    server.start()
    services[0].set_health("up")
    server.freeze()
    wait.always(server.process.alive, SESSION_TIMEOUT + 1, "it sleeps")
    server.thaw()


def test_nerve_is_clean_under_churn(commands, sandbox, path):
    server = sandbox.zookeeper()
    services = [sandbox.service(f"s{n}") for n in range(SERVICES)]
    subjects = [Subject(kind, command, sandbox, services, server, path)
                for kind, command in commands.items()]
    for _ in range(ROUNDS):
        client = server.client()
        until_all(subjects, lambda it, at=client: it.is_whole(at),
                  "all are registered")
        churn(subjects, services, server, client)
    client = server.client()
    until_all(subjects, lambda it: it.is_whole(client), "all are registered")
    for subject in subjects:
        assert subject.nerve.process.stop(seconds=20) == 0, (
            subject.nerve.process.text())
        assert not subject.nerve.process.lines(REPORT)
        assert children(client, subject.path) == []


def test_control_valgrind_finds_a_leak(sandbox):
    """A program that forgets what it has is told so."""
    source = sandbox.write("leak.c", "#include <stdlib.h>\nint main(void) {"
                           " return !malloc(100); }\n")
    binary = sandbox.path("leak")
    subprocess.run(["cc", "-o", binary, source], check=True, timeout=60)
    done = subprocess.run([*VALGRIND, binary], timeout=60, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 99, done.stderr
