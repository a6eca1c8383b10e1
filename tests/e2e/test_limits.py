"""HAProxy without free connections to its runtime API, or without
descriptors."""

import contextlib
import os
import re
import socket
import subprocess

import wait
from haproxy import web
from zookeeper import register

# The default of `stats maxconn`.
CONNECTIONS = 10


def unchecked(zookeeper, path):
    """Returns a backend without checks: the limit must affect the agent, not
    the checks."""
    return web(zookeeper, path, server="")


@contextlib.contextmanager
def idle_connections(path, count):
    """Opens connections to the stats socket and sends nothing on them."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(path)
            connection.sendall(b"prompt\n")
        yield


def test_idle_connections_on_the_stats_socket_stop_no_change(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([unchecked(healthy, path)], extra=["stats timeout 1m"])
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    with sandbox.load(proxy, "idle runtime API connections") as load:
        with idle_connections(proxy.socket, CONNECTIONS):
            register(witness, path, two.payload("two"))
            told = wait.until(
                lambda: load.answers["two"] > 9 or
                proxy.process.lines("runtime API"), 30,
                "the change arrives, or is reported")
            print("arrived" if told is True else told)
        wait.until(lambda: load.answers["two"] > 9, 30, "the change arrives")
        proxy.serves([one, two])
    load.assert_none_failed()


@contextlib.contextmanager
def operator(proxy):
    """Keeps a connection to the stats socket. Yields a function that sends a
    line and returns HAProxy's answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10 * wait.FACTOR)
        connection.connect(proxy.socket)

        def ask(line):
            connection.sendall(line.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n> "):
                got = connection.recv(65536)
                assert got, "HAProxy has hung up"
                answer += got
            return answer.decode()

        ask("prompt")
        yield ask


def hang_up(ask):
    """Ends the agent's connection to the runtime API."""
    def session():
        return re.search(r"(0x[0-9a-f]+): proto=sockpair", ask("show sess"))
    ask(f"shutdown session {session()[1]}")
    wait.until(lambda: not session(), 10, "the agent's connection ends")


def is_ready(ask, service):
    """Whether a slot with the service's address is out of maintenance."""
    rows = map(str.split, ask("show servers state web").splitlines())
    return any(f"{row[4]}:{row[18]}" == service.address and
               int(row[6]) & 1 == 0 for row in rows if len(row) > 18)


@contextlib.contextmanager
def no_descriptors_left(pid):
    """Lowers the limit of a running process so that it can open no more
    files."""
    before = limit_of(pid)
    taken = set(map(int, os.listdir(f"/proc/{pid}/fd")))
    lowest = next(number for number in range(len(taken) + 1)
                  if number not in taken)
    set_limit(pid, lowest)
    try:
        yield
    finally:
        set_limit(pid, before)


def limit_of(pid):
    with open(f"/proc/{pid}/limits") as file:
        return next(line.split()[3] for line in file
                    if line.startswith("Max open files"))


def set_limit(pid, number):
    """Runs as the process's own user, because root may lack the right to do
    it."""
    subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={number}:"],
                   check=True, **same_user(pid))


def same_user(pid):
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.split(":", 1) for line in file)
    return {"user": int(status["Uid"].split()[0]), "extra_groups": [],
            "group": int(status["Gid"].split()[0])}


def test_a_change_arrives_at_the_descriptor_limit(
        sandbox, healthy, witness, path):
    """Each line of commands had a connection of its own, which needs
    descriptors."""
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([unchecked(healthy, path)])
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    [worker] = proxy.workers()
    with operator(proxy) as ask, no_descriptors_left(worker):
        register(witness, path, two.payload("two"))
        wait.until(lambda: is_ready(ask, two), 15, "two is ready")
    assert not proxy.process.lines("runtime API")


def test_a_lost_ready_is_sent_again_after_the_descriptor_limit(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([unchecked(healthy, path)])
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    proxy.remembers([one])
    [worker] = proxy.workers()
    with operator(proxy) as ask:
        hang_up(ask)
    # A connection needs two descriptors, and the agent has one of the old one.
    with no_descriptors_left(worker):
        register(witness, path, two.payload("two"))
        proxy.process.says("runtime API", 15)
    proxy.serves([one, two], seconds=30)
    assert proxy.workers() == [worker]
    with sandbox.load(proxy, "after the descriptor limit") as load:
        wait.until(lambda: load.answers["two"] > 9, 10, "two answers")
    load.assert_none_failed()


def test_a_connection_that_an_operator_ends_is_made_again(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([unchecked(healthy, path)])
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    with operator(proxy) as ask:
        hang_up(ask)
    register(witness, path, two.payload("two"))
    proxy.serves([one, two])
    assert not proxy.process.lines("runtime API")


def test_a_reconnect_at_the_descriptor_limit_recovers(sandbox, path):
    server = sandbox.zookeeper()
    client = server.client()
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([unchecked(server, path)])
    register(client, path, one.payload("one"))
    proxy.serves([one])
    [worker] = proxy.workers()
    with no_descriptors_left(worker):
        server.stop()
        server.start()
        wait.always(lambda: proxy.process.alive(), 4, "it runs")
        register(client, path, two.payload("two"))
    proxy.serves([one, two], seconds=30)
    assert proxy.workers() == [worker]
