"""A server that accepts connections and ends each before there is a session:
it has too many, has no quorum, or is no ZooKeeper at all."""

import socket
import threading
import time

import pytest

import address
import wait
from haproxy import Backend
from nerve import watched

SECONDS = 10
TIMEOUT = {"session_timeout": 10}


class Doorman:
    """Reads the client's first bytes and closes the connection. `visits` has
    the times."""

    def __init__(self, sandbox):
        self.port = address.port()
        self.addresses = [f"{address.HOST}:{self.port}"]
        self.visits = []
        self._server = socket.create_server((address.HOST, self.port),
                                            backlog=100)
        threading.Thread(target=self._run, daemon=True).start()
        sandbox.at_last(self._server.close)

    def _run(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                client.settimeout(5)
                try:
                    client.recv(4096)
                except OSError:
                    pass
            self.visits.append(time.monotonic())


@pytest.mark.parametrize("program", ["nerve", "haproxy"])
def test_a_server_that_hangs_up_at_once_is_asked_a_few_times_a_second_and_less(
        program, sandbox, path):
    """The client connected again after a sixtieth of the session timeout, for
    ever: 6 times a second here, 20 times with a timeout of 3 s."""
    doorman = Doorman(sandbox)
    if program == "nerve":
        one = sandbox.service("one")
        process = sandbox.nerve(
            "one", {"web": watched(one, doorman, path)}, **TIMEOUT).process
    else:
        process = sandbox.haproxy(
            [Backend(hosts=doorman.addresses, path=path)],
            synapse=TIMEOUT).process
    wait.until(lambda: doorman.visits, 20, "it comes")
    time.sleep(SECONDS)
    visits = doorman.visits[:]
    assert 2 < len(visits) < 2.5 * SECONDS
    late = [visit for visit in visits if visit > visits[0] + SECONDS / 2]
    assert 0 < len(late) < 2.2 * SECONDS / 2
    process.says(f"{doorman.addresses[0]}: failed while receiving a server "
                 "response .*likely too many connections")
