"""nerve under churn, built with each sanitizer and under valgrind, all at once
on the same services and the same ZooKeeper; and the module for Lua.

One round, or five if HOLD_SECONDS asks for the long forms.
"""

import os
import signal
import subprocess

import pytest

import lua
import program
import wait
from metrics import Pages
from nerve import SESSION_TIMEOUT, http_check, watched
from zookeeper import children, registrations

ROUNDS = 5 if os.environ.get("HOLD_SECONDS") else 1
CHURNS = 60 * ROUNDS  # sessions that the module opens
SERVICES = 4

# The client library is built without a sanitizer, so its own faults are not
# judged here.
SANITIZERS = {
    "address": {"LSAN_OPTIONS": "suppressions={}/leaks.supp"},
    "undefined": {"UBSAN_OPTIONS": "print_stacktrace=1"},
    "thread": {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1"},
}
VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--fair-sched=yes",
            "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite"]
RUNTIMES = {"address": "libasan.so", "undefined": "libubsan.so",
            "thread": "libtsan.so"}
REPORT = r"Sanitizer|runtime error|^==\d+=="


def built(kind, name):
    """Builds nerve or the module with a sanitizer; returns the file."""
    file = f"build-{kind}/{name}"
    subprocess.run(["make", "-s", f"SANITIZE={kind}", file],
                   cwd=program.ROOT, check=True, timeout=600)
    return os.path.join(program.ROOT, file)


def options(kind):
    """The sanitizer's own settings, as variables of the environment."""
    here = os.path.dirname(__file__)
    return {name: text.format(here) for name, text in SANITIZERS[kind].items()}


@pytest.fixture(scope="module")
def commands():
    """Returns how each kind is started: the command and the environment."""
    found = {kind: ([built(kind, "nerve")], options(kind))
             for kind in SANITIZERS}
    return {**found, "valgrind": ([*VALGRIND, program.NERVE], {})}


class Subject:
    """One nerve of a kind, which has all of the services."""

    def __init__(self, kind, command, sandbox, services, server, path):
        argv, more = command
        self.kind = kind
        self.path = f"{path}/{kind}"
        self.pages = Pages()
        self.wanted = sorted(it.payload(kind) for it in services)
        checks = [{"type": "tcp", "timeout": 2}, http_check(timeout=2)]
        # Neither can follow a child that shares nerve's memory until its exec.
        if kind not in ("valgrind", "thread"):
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

    def upgrade(self):
        """Upgrades it in place, but not under valgrind and the thread
        sanitizer, which cannot follow an exec."""
        if self.kind in ("valgrind", "thread"):
            return
        before = len(self.nerve.process.lines("session resumed"))
        self.nerve.process.send(signal.SIGUSR2)
        wait.until(lambda: len(self.nerve.process.lines(
            "session resumed")) > before, 60, f"{self.kind} goes on")

    def is_whole(self, client):
        return registrations(client, self.path) == self.wanted


def until_all(subjects, condition, what):
    for subject in subjects:
        wait.until(lambda it=subject: condition(it), 60, what)


def churn(subjects, services, server, client):
    """Causes every fault once."""
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
        subject.upgrade()
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


@pytest.mark.parametrize("kind", SANITIZERS)
def test_the_module_is_clean_under_churn(kind, sandbox, healthy, witness,
                                         path):
    """Debian's Lua is built without a sanitizer, so its runtime is loaded
    first. valgrind looks for leaks, because it still knows their origin after
    the module and the client library are unloaded."""
    module = built(kind, f"{program.LUA}/zookeeper.so")
    runtime = subprocess.run(
        ["cc", f"-print-file-name={RUNTIMES[kind]}"], check=True, text=True,
        capture_output=True, timeout=60).stdout.strip()
    witness.ensure_path(path)
    process = sandbox.run(
        f"churn-{kind}", [program.LUA, lua.own("churn.lua"), healthy.hosts, path,
                          str(CHURNS)],
        env={**lua.environment(), **options(kind), "LD_PRELOAD": runtime,
             "ASAN_OPTIONS": "detect_leaks=0",
             "LUA_CPATH": f"{os.path.dirname(module)}/?.so"})
    assert process.ended(60 + CHURNS) == 0, process.text()
    assert process.lines("^done$")
    assert not process.lines(REPORT), process.text()


def test_control_valgrind_finds_a_leak(sandbox):
    """valgrind reports a program that leaks."""
    source = sandbox.write("leak.c", "#include <stdlib.h>\nint main(void) {"
                           " return !malloc(100); }\n")
    binary = sandbox.path("leak")
    subprocess.run(["cc", "-o", binary, source], check=True, timeout=60)
    done = subprocess.run([*VALGRIND, binary], timeout=60, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 99, done.stderr
