"""A worker with lockdown starts no process, whatever a request does."""

import os

import pytest

import wait
from certificates import Authority
from haproxy import CHECKED, Backend, web
from lua import PROGRAMS
from scripted import Scripted, answer
from zookeeper import register

LOCKED = {"lockdown": True}


def prober(sandbox, zookeeper, path, **options):
    """A HAProxy that sees the whole machine, with its shells, and a frontend
    that tries to start one."""
    probe = Backend(name="probe", slots=0,
                    lines=["http-request use-service lua.starts"])
    return sandbox.haproxy(
        [web(zookeeper, path), probe], jail="/", **options,
        extra=[f"lua-load {PROGRAMS}/starts.lua"])


def attempts(proxy):
    """Returns the results of starting a process, by thread, once two threads
    have tried."""
    found = {}

    def both():
        thread, _, outcome = proxy.get(port=proxy.backends[1].port)[
            1].partition(";")
        found[thread] = outcome
        return len(found) == 2
    wait.until(both, 20, "both threads have tried")
    return set(found.values())


def test_control_without_lockdown_processes_start(sandbox, healthy, path):
    proxy = prober(sandbox, healthy, path)
    assert attempts(proxy) == {"os.execute 3;io.popen started"}


def test_no_thread_starts_a_process(sandbox, healthy, witness, path):
    one = sandbox.service("one")
    proxy = prober(sandbox, healthy, path, synapse=LOCKED)
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    # Lua 5.3 and Debian 12's C library fork in another way than Debian 13's,
    # and get another error.
    assert attempts(proxy) <= {
        "os.execute 127;io.popen echo started: Cannot allocate memory",
        "os.execute 1;io.popen echo started: Operation not permitted"}
    [worker] = proxy.workers()
    assert filters(worker) == {"2"}


def filters(pid):
    """Returns the kind of filter that each thread of a process has."""
    found = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as file:
            found |= {line.split()[1] for line in file
                      if line.startswith("Seccomp:")}
    return found


def test_an_expired_session_still_gets_its_new_threads(sandbox, path):
    server = sandbox.zookeeper()
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(server, path)], synapse=LOCKED)
    workers = proxy.workers()
    register(server.client(), path, one.payload("one"))
    proxy.serves([one])
    server.stop()
    server.wipe()
    server.start()
    client = server.client()
    for it in (one, two):
        register(client, path, it.payload(it.name))
    proxy.process.says("session expired, opening a new one", 30)
    proxy.serves([one, two], seconds=30)
    assert proxy.workers() == workers


def test_tls_checks_logging_and_reload_work(sandbox, healthy, witness, path):
    ours = Authority(sandbox, "ours")
    secure = Scripted(sandbox, [answer(b"secure")],
                      tls=ours.context("web.example"))
    one = sandbox.service("one")
    proxy = sandbox.haproxy([
        web(healthy, path, lines=["option httpchk GET /health"]),
        web(healthy, f"{path}/tls", name="tls",
            server=f"{CHECKED} ssl verify required ca-file {ours.file}")],
        synapse=LOCKED)
    register(witness, path, one.payload("one"))
    register(witness, f"{path}/tls", one.payload("secure", port=secure.port))
    proxy.serves([one])
    for _ in range(2):
        wait.until(lambda: proxy.serving("tls") ==
                   [f"{secure.host}:{secure.port}"], 20, "TLS is up")
        assert proxy.get(port=proxy.backends[1].port) == (200, "secure")
        one.set_health("down")
        proxy.serves([])
        proxy.process.says(r"Server web/\S+ is DOWN")
        one.set_health("up")
        proxy.serves([one])
        told = len(proxy.process.lines("locked down"))
        proxy.reload()
        wait.until(lambda: len(proxy.process.lines("locked down")) > told, 20,
                   "the new worker is locked down as well")
        wait.until(lambda: len(proxy.workers()) == 1, 20, "the old one ends")


@pytest.mark.parametrize("line", ["external-check", None])
def test_external_checks_and_a_lockdown_are_refused_together(
        line, sandbox, healthy, path):
    lines = ["option external-check", "external-check command /bin/true"]
    proxy = sandbox.haproxy(
        [web(healthy, path, lines=[] if line else lines)], start=False,
        extra=[line] if line else [], synapse=LOCKED)
    status, output = proxy.check()
    assert status != 0 and "lockdown: " in output
    assert f"{proxy.file}:" in output and "external-check" in output
    proxy.begin()
    assert proxy.process.ended(20) != 0
