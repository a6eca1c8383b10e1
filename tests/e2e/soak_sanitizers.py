"""nerve under churn, built with each sanitizer. A part of `make soak`."""

import os
import subprocess

import pytest

import program
import wait
from nerve import SESSION_TIMEOUT, http_check, watched
from zookeeper import children, registrations

ROUNDS = 5
SERVICES = 8

# The client library is not built with a sanitizer: what it does by itself is
# not ours to judge.
OPTIONS = {
    "address": {"LSAN_OPTIONS": "suppressions={}/leaks.supp"},
    "undefined": {"UBSAN_OPTIONS": "print_stacktrace=1"},
    "thread": {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1"},
}
REPORT = "Sanitizer|runtime error"


@pytest.fixture(params=OPTIONS)
def build(request):
    """Builds nerve with a sanitizer; gives the binary and its environment."""
    kind = request.param
    subprocess.run(["make", "-s", f"SANITIZE={kind}", f"build-{kind}/nerve"],
                   cwd=program.ROOT, check=True, timeout=600)
    options = {name: text.format(os.path.dirname(__file__))
               for name, text in OPTIONS[kind].items()}
    return (os.path.join(program.ROOT, f"build-{kind}", "nerve"),
            {**os.environ, **options})


def churn(services, server, client, path):
    """Every fault of one round."""
    for service in services:
        service.set_health("down")
    wait.until(lambda: not children(client, path), 30, "all are gone")
    services[0].set_health("hang")
    services[1].process.kill()
    for service in services[2:]:
        service.set_health("up")
    wait.until(lambda: len(children(client, path)) > 1, 30, "some are back")
    services[1].start()
    for name in children(client, path):
        client.delete(f"{path}/{name}")
    server.stop()
    wait.always(lambda: not server.process.alive(), 1, "ZooKeeper is away")
    server.start()
    services[0].set_health("up")
    server.freeze()
    wait.always(server.process.alive, SESSION_TIMEOUT + 1, "it sleeps")
    server.thaw()


def test_nerve_is_clean_under_churn(build, sandbox, path):
    binary, environment = build
    server = sandbox.zookeeper()
    services = [sandbox.service(f"s{n}") for n in range(SERVICES)]
    nerve = sandbox.nerve("one", {
        it.name: watched(it, server, path, checks=[
            {"type": "tcp", "timeout": 1}, http_check()])
        for it in services}, start=False)
    nerve.start(binary, env=environment)
    wanted = sorted(it.payload("one") for it in services)
    for _ in range(ROUNDS):
        client = server.client()
        wait.until(lambda at=client: registrations(at, path) == wanted, 60,
                   "all are registered")
        churn(services, server, client, path)
    client = server.client()
    wait.until(lambda: registrations(client, path) == wanted, 60,
               "all are registered")
    assert nerve.process.stop(seconds=10) == 0, nerve.process.text()
    assert not nerve.process.lines(REPORT)
    assert children(client, path) == []
