"""The sandbox: what a newcomer sees after `make demo`."""

import collections
import itertools
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess

import pytest

import process
import program
import wait
from demo_network import FOLDER, NETWORK, living

RUN = os.path.join(program.ROOT, "demo", "run")

A1, A2, B1 = "service_a_node_1", "service_a_node_2", "service_b_node_1"
PIECES = collections.Counter(
    {"zookeeper": 1, "service": 3, "nerve": 3, "haproxy": 3})


# How often the page asks for updates.
PAGE_SECONDS = 1

numbers = itertools.count(1)


class Demo:
    """A running demo/run on a terminal, with a user."""

    def __init__(self, sandbox, **environment):
        self.log = sandbox.path(f"demo-{next(numbers)}.log")
        with open(self.log, "wb") as output:
            self.child = subprocess.Popen(
                [RUN], stdin=subprocess.PIPE, stdout=output, stderr=output,
                env={**os.environ, "DEMO_NETWORK": NETWORK, **environment})
        sandbox.at_end(self.close)

    def close(self):
        """Ends it. Its programs end with it, whatever state it is in."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        wait.until(lambda: not living(), 10, "no process of it is left")
        shutil.rmtree(FOLDER, ignore_errors=True)

    def says(self, pattern, seconds=20):
        """Waits for output that matches `pattern`. Returns the match."""
        def found():
            assert self.child.poll() is None or re.search(pattern, self.text())
            return re.search(pattern, self.text())
        return wait.until(found, seconds, f"the demo prints {pattern!r}")

    def text(self):
        return read(self.log)

    def runs(self):
        """Waits until it is up: it then prints what to try next."""
        self.says(r"Ctrl-C ends all", 60)

    def moves(self, before, after, seconds=20, failed="0"):
        """Waits for the line that says that traffic has moved."""
        before, after = " ".join(before), " ".join(after)
        self.says(f"is answered by: {before} -> {after}  "
                  rf".* {failed} failed\)", seconds)

    def pid(self, machine, kind):
        return int(self.says(rf"{machine} +{kind} +pid (\d+)")[1])

    def idea(self, comment):
        """Returns the printed command with this comment."""
        return self.says(rf"(?m)^  (\S.*?) +# {comment}")[1]

    def press_enter(self):
        self.child.stdin.write(b"\n")
        self.child.stdin.flush()

    def ends(self, seconds=30):
        """Waits for its end and returns the exit status."""
        return self.child.wait(seconds * wait.FACTOR)


@pytest.fixture
def demo(sandbox):
    return Demo(sandbox)


def read(path):
    with open(path, errors="replace") as file:
        return file.read()


def output_of(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True,
                          check=True, stdin=subprocess.DEVNULL, timeout=30)
    return done.stdout


def type_in_other_terminal(command):
    subprocess.run(command, shell=True, cwd=program.ROOT, check=True,
                   stdin=subprocess.DEVNULL, timeout=30)


def test_it_shows_every_piece_and_who_answers_and_leaves_nothing(sandbox):
    demo = Demo(sandbox, DEMO_SECONDS="5")
    demo.runs()
    assert len(living()) == 13  # ten programs, three of them with a worker
    assert registered(demo) == {A1, A2}
    assert demo.ends() == 0
    shown = collections.Counter(re.findall(r"(\w+) +pid \d+ ", demo.text()))
    assert shown == PIECES
    assert re.search("imok, mode: standalone", demo.text())
    assert re.search(f"registered as {A1}_[0-9]{{10}}", demo.text())
    for name in (A1, A2):
        assert re.search(rf"GET http://{NETWORK}.103:\d+/ +{name} at "
                         rf"{NETWORK}.10\d:\d+", demo.text())
    assert re.search(rf"requests: {A1} \d+, {A2} \d+; 0 failed", demo.text())
    assert not living()
    assert not os.path.exists(FOLDER)


def test_a_terminal_is_told_what_starts_and_how_far_that_is(sandbox):
    """A file or a pipe is not: the other tests read what it prints."""
    ours, theirs = pty.openpty()
    demo = Demo(sandbox, DEMO_SECONDS="1")
    assert demo.ends() == 0
    assert " of 10: " not in demo.text() and "\r" not in demo.text()
    child = subprocess.Popen(
        [RUN], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        env={**os.environ, "DEMO_NETWORK": NETWORK, "DEMO_SECONDS": "1"})
    os.close(theirs)
    try:
        shown = b"".join(iter(lambda: terminal_read(ours), b"")).decode()
        assert child.wait(60 * wait.FACTOR) == 0
    finally:
        child.kill()
        child.wait()
        os.close(ours)
    assert "\r\x1b[K1 of 10: zookeeper1 zookeeper starts, 40 s at" in shown
    assert f"\r\x1b[K10 of 10: {B1} haproxy starts, 40 s at most\r" in shown
    assert "\r\x1b[Kzookeeper1 zookeeper ends, 8 s at most" in shown


def terminal_read(terminal):
    """Returns what a program has written to it; empty after its end."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def registered(demo):
    """Returns the instances that the demo's own command lists."""
    names = output_of(demo.idea("who is registered")).split()
    return {name.rpartition("_")[0] for name in names}


def test_traffic_moves_when_a_service_is_killed_and_when_it_is_back(demo):
    """The demo sends one request at a time. A request that the killed service
    already has may fail, and no other."""
    demo.runs()
    type_in_other_terminal(demo.idea("its service dies"))
    demo.says(f"{A1} service is dead")
    demo.moves([A1, A2], [A2], failed="[01]")
    demo.press_enter()
    demo.moves([A2], [A1, A2], failed="[01]")
    demo.child.send_signal(signal.SIGINT)
    assert demo.ends() == 0
    assert not living()
    assert not os.path.exists(FOLDER)


class Page:
    """The status page, at the address that the demo prints first."""

    def __init__(self, demo):
        self.url = re.match(r"The status page: (http://\S+)", demo.text())[1]

    def events_after(self, number):
        """Returns the newer events of the page, in one line each."""
        shown = json.loads(output_of(
            f"curl -s {self.url}events.json?since={number}"))
        return shown["last"], [
            f"{one['instance']} {one['from']} -> {one['to']}: {one.get('why')}"
            for one in shown["events"]]


# What a user breaks, and what the page says about it.
BREAKS = (
    (f"stop {A1} nerve", f"{NETWORK}.102:8000 ready -> absent: no znode asks "
     "for it any more"),
    (f"crash {B1} service", f"{NETWORK}.103:8000 ready -> failed: HAProxy's "
     "check fails: connection refused or lost"),
    (f"health {A2} off", f"{NETWORK}.104:8000 ready -> failed: HAProxy's "
     "check fails: unexpected answer"),
    ("crash zookeeper1 zookeeper", f"{NETWORK}.101:2181 connected -> "
     "connecting: session with ZooKeeper"),
)


def test_the_page_tells_within_two_seconds_what_is_broken_and_why(demo):
    demo.runs()
    page = Page(demo)
    assert "<html" in output_of(f"curl -s {page.url}")
    for words, event in BREAKS:
        last, _ = page.events_after(0)
        type_in_other_terminal(
            f"DEMO_NETWORK={NETWORK} demo/smartstack {words}")
        wait.until(lambda n=last, e=event: e in page.events_after(n)[1],
                   2 - PAGE_SECONDS, f"{words}: the page shows {event!r}")


def test_traffic_moves_with_the_health_of_a_service(demo):
    demo.runs()
    command = demo.idea("its check fails")
    type_in_other_terminal(command)
    demo.moves([A1, A2], [A2])
    type_in_other_terminal(command.replace(" off", " on"))
    demo.moves([A2], [A1, A2])


def test_nobody_answers_without_the_way_there_until_it_is_started_again(demo):
    demo.runs()
    os.kill(demo.pid(B1, "haproxy"), signal.SIGKILL)
    demo.says(f"is answered by: {A1} {A2} -> nobody")
    demo.press_enter()
    demo.says(f"is answered by: nobody -> {A1}|{A2}")
    demo.says(f"is answered by: .* -> {A1} {A2}")


def test_no_traffic_moves_while_zookeeper_is_away_and_haproxy_reloads(demo):
    demo.runs()
    snapshot = os.path.join(FOLDER, B1, "state", "synapse.state.json")
    wait.until(lambda: os.path.exists(snapshot) and
               all(name in read(snapshot) for name in (A1, A2, B1)),
               10, "the snapshot names every instance")
    os.kill(demo.pid("zookeeper1", "zookeeper"), signal.SIGKILL)
    demo.says("zookeeper1 zookeeper is dead")
    type_in_other_terminal(demo.idea("HAProxy reloads"))
    log = os.path.join(FOLDER, B1, "haproxy.log")
    wait.until(lambda: "3 instances from the snapshot" in read(log), 10,
               "the new worker has read its snapshot")
    assert output_of(demo.idea("requests of your own"))
    # The test sends no more requests of its own. They would take every other
    # turn of the two instances, and the demo would see only one instance.
    wait.always(lambda: "is answered by" not in demo.text(), 2,
                "no traffic moves")
    demo.child.send_signal(signal.SIGINT)
    assert demo.ends() == 0
    assert "is answered by" not in demo.text()
    assert "; 0 failed" in demo.text()


def test_what_is_frozen_when_it_ends_is_ended_too(demo):
    demo.runs()
    type_in_other_terminal(demo.idea("ZooKeeper hangs"))
    process.freeze(demo.pid(A2, "service"))
    demo.child.send_signal(signal.SIGTERM)
    assert demo.ends() == 0
    assert not living()


def test_a_kill_of_the_demo_itself_leaves_no_process(demo):
    demo.runs()
    demo.child.kill()
    demo.ends()
    wait.until(lambda: not living(), 10, "no process is left")


def test_a_piece_that_fails_to_start_is_shown_with_its_last_words(sandbox):
    os.mkdir(sandbox.path("bin"))
    java = sandbox.write("bin/java", "#!/bin/sh\necho 'no Java today'\nexit 3")
    os.chmod(java, 0o755)
    path = os.path.dirname(java) + ":" + os.environ["PATH"]
    demo = Demo(sandbox, PATH=path)
    assert demo.ends() == 1
    assert "zookeeper1 zookeeper has ended" in demo.text()
    assert "no Java today" in demo.text()
    assert not living()


def test_a_second_demo_on_the_same_addresses_is_refused(sandbox, demo):
    demo.runs()
    second = Demo(sandbox)
    assert second.ends() == 1
    assert "another one runs in" in second.text()
    assert demo.child.poll() is None


def test_a_port_that_is_taken_is_replaced_by_the_next(sandbox):
    with socket.create_server((f"{NETWORK}.102", 8000)):
        demo = Demo(sandbox, DEMO_SECONDS="1")
        assert demo.ends() == 0
    assert f"{A1} at {NETWORK}.102:8001" in demo.text()
    assert f"{A2} at {NETWORK}.104:8000" in demo.text()


@pytest.mark.parametrize("name, value", [
    ("DEMO_NETWORK", "10.0.0"), ("DEMO_SECONDS", "soon")])
def test_a_wrong_setting_is_named(sandbox, name, value):
    demo = Demo(sandbox, **{name: value})
    assert demo.ends() == 1
    assert f"demo: {name}={value}: " in demo.text()
