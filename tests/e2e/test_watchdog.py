"""What shows that nerve is alive: its watchdog, and the service manager."""

import os
import signal
import socket
import time

import pytest

import wait
from debugger import held
from nerve import SESSION_TIMEOUT, watched
from zookeeper import births, children


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


def nerve_with(sandbox, one, server, client, path, environment=(), **more):
    """A nerve with a registered service."""
    nerve = sandbox.nerve("one", {"web": watched(one, server, path)},
                          start=False, **more)
    nerve.start(env={**os.environ, **dict(environment)})
    wait.until(lambda: children(client, path), 10, "it is registered")
    return nerve


def test_a_loop_that_hangs_ends_nerve_and_its_session(
        sandbox, one, healthy, witness, path):
    nerve = nerve_with(sandbox, one, healthy, witness, path, watchdog=1)
    with held(nerve.process):
        nerve.process.says("error the loop has not turned for 1 s", 20)
    assert nerve.process.ended(20) == -signal.SIGABRT
    wait.until(lambda: not children(witness, path), SESSION_TIMEOUT + 20,
               "it is not registered any more")


def test_control_with_a_patient_watchdog_it_stays_registered(
        sandbox, one, healthy, witness, path):
    nerve = nerve_with(sandbox, one, healthy, witness, path, watchdog=600)
    before = births(witness, path)
    with held(nerve.process):
        wait.always(lambda: births(witness, path) == before,
                    SESSION_TIMEOUT + 2, "it stays registered")
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 20, "the loop turns again")


def test_a_process_that_was_stopped_did_not_hang(
        sandbox, one, healthy, witness, path):
    nerve = nerve_with(sandbox, one, healthy, witness, path, watchdog=1,
                       session_timeout=10)
    before = births(witness, path)
    for _ in range(3):
        nerve.process.freeze()
        wait.always(nerve.process.alive, 1.5, "it is stopped, not ended")
        nerve.process.thaw()
        wait.always(nerve.process.alive, 0.3, "nerve lives")
    assert births(witness, path) == before
    assert not nerve.process.lines("has not turned")


def test_how_patient_it_is_can_be_changed(
        sandbox, one, healthy, witness, path):
    web = {"web": watched(one, healthy, path)}
    nerve = nerve_with(sandbox, one, healthy, witness, path, watchdog=600)
    nerve.reload(web, watchdog=1)
    with held(nerve.process):
        nerve.process.says("error the loop has not turned for 1 s", 20)
    assert nerve.process.ended(20) == -signal.SIGABRT


class Manager:
    """The socket of a service manager."""

    def __init__(self, sandbox, abstract=False):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sandbox.at_last(self._socket.close)
        name = sandbox.path("notify")
        self.environment = {"NOTIFY_SOCKET":
                            f"@{name}" if abstract else name}
        self._socket.bind(f"\0{name}" if abstract else name)

    def hears(self, seconds=20):
        """Returns the next message."""
        self._socket.settimeout(seconds * wait.FACTOR)
        return self._socket.recv(4096).decode()

    def hears_nothing(self, seconds):
        """Asserts that nothing more comes for so long."""
        self._socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                self._socket.recv(4096)
        self._socket.settimeout(seconds)
        with pytest.raises(TimeoutError):
            self._socket.recv(4096)

    def hears_of_a_reload(self):
        before = time.monotonic_ns() // 1000
        first, at = self.hears().split("\n")
        assert first == "RELOADING=1"
        name, microseconds = at.split("=")
        assert name == "MONOTONIC_USEC"
        assert abs(int(microseconds) - before) < 20e6 * wait.FACTOR
        assert self.hears() == "READY=1"


@pytest.mark.parametrize("abstract", [False, True], ids=["file", "abstract"])
def test_the_service_manager_is_told_of_each_turn(
        abstract, sandbox, one, healthy, witness, path):
    manager = Manager(sandbox, abstract)
    nerve = nerve_with(sandbox, one, healthy, witness, path,
                       manager.environment)
    assert manager.hears() == "READY=1"
    nerve.reload()
    manager.hears_of_a_reload()
    nerve.process.send(signal.SIGUSR2)
    manager.hears_of_a_reload()
    nerve.write("[]")
    nerve.reload(says="not reloaded")
    manager.hears_of_a_reload()
    nerve.process.send(signal.SIGUSR2)
    manager.hears_of_a_reload()
    nerve.process.says("not upgraded")
    assert nerve.process.stop() == 0
    assert manager.hears() == "STOPPING=1"
    manager.hears_nothing(0.1)


def test_the_loop_gives_signs_of_life(sandbox, one, healthy, witness, path):
    manager = Manager(sandbox)
    nerve = nerve_with(sandbox, one, healthy, witness, path,
                       {**manager.environment, "WATCHDOG_USEC": "1000000"})
    assert sorted({manager.hears() for _ in range(5)}) == [
        "READY=1", "WATCHDOG=1"]
    with held(nerve.process):
        manager.hears_nothing(2)
    assert manager.hears() == "WATCHDOG=1"


def test_without_a_service_manager_nobody_is_told(
        sandbox, one, healthy, witness, path):
    manager = Manager(sandbox)
    nerve = nerve_with(sandbox, one, healthy, witness, path)
    nerve.reload()
    manager.hears_nothing(0.5)
