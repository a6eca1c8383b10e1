"""nerve knows ZooKeeper's servers by a name whose address may change."""

import os
import socket

import pytest

import program
import wait
from address import HOST, OTHER_HOST
from etc import with_its_own
from nerve import watched
from wire import Wire
from zookeeper import ZooKeeper, births, children, registrations

NAME = "zk.e2e"


class Names:
    """An /etc/hosts that only the program `binary` sees."""

    def __init__(self, sandbox):
        self._file, self.binary = with_its_own(
            sandbox, program.NERVE, "hosts", "")

    def tell(self, host):
        """Gives NAME the address `host`, or none if `host` is None."""
        self.tell_all({NAME: host} if host else {})

    def tell_all(self, hosts):
        """Replaces all names by these."""
        with open(self._file, "w") as file:
            file.writelines(f"{host} {name}\n"
                            for name, host in hosts.items())


@pytest.fixture
def names(sandbox):
    return Names(sandbox)


@pytest.mark.parametrize("known", ["nowhere", "where it was"])
def test_a_server_that_moves_while_it_is_away_is_found_by_its_name(
        known, sandbox, names, path):
    """nerve looked the name up once in an outage. If the name servers were
    away too, or still gave the old address, it never learnt the new one."""
    server, one = sandbox.zookeeper(), sandbox.service("one")
    names.tell(server.host)
    nerve = sandbox.nerve("one", {"web": watched(
        one, server, path, zk_hosts=[f"{NAME}:{server.port}"])}, start=False)
    nerve.start(names.binary, env={**os.environ, "DEBUG": "1"})
    client = server.client()
    wait.until(lambda: children(client, path), 10, "it is registered")
    if known == "nowhere":
        names.tell(None)
    server.close()
    server.stop()
    wait.until(lambda: len(nerve.process.lines("looked up: ")) >= 2, 20,
               "its name is looked up again")
    other = ZooKeeper(sandbox, "other", host=OTHER_HOST, port=server.port)
    sandbox.at_end(other.close)
    other.start()
    names.tell(other.host)
    client = other.client()
    wait.until(lambda: registrations(client, path) == [one.payload("one")],
               40, "it is registered there")


def test_a_server_whose_name_is_known_late_takes_the_session_over(
        sandbox, names, healthy, witness, path):
    """A partial answer was final. When the only server that was known at the
    start failed, the session expired, although another server could have kept
    it."""
    one = sandbox.service("one")
    first, second = Wire(sandbox, healthy), Wire(sandbox, healthy)
    known = {"zk1.e2e": HOST}
    names.tell_all(known)
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path, zk_hosts=[
        f"zk1.e2e:{first.port}", f"zk2.e2e:{second.port}"])}, start=False)
    nerve.start(names.binary)
    wait.until(lambda: children(witness, path), 10, "it is registered")
    nerve.process.says("zk2.e2e: .*; the others are used")
    before = births(witness, path)
    names.tell_all({**known, "zk2.e2e": HOST})
    first.blocked = True
    first.cut()
    nerve.process.says("session resumed")
    assert second.counts["connect"] > 0
    assert births(witness, path) == before
    assert not nerve.process.lines("expired")


def test_name_servers_that_hang_hold_up_nothing_else(
        sandbox, healthy, witness, path):
    """Each ensemble whose names were being looked up occupied a thread. With
    four of them no thread was left for anything else."""
    one, beat = sandbox.service("one"), sandbox.path("beat")
    _, binary = with_its_own(sandbox, program.NERVE, "resolv.conf",
                             f"nameserver {HOST}\n")
    far = {f"far{n}": watched(one, healthy, f"{path}/far",
                              zk_hosts=[f"zk{n}.e2e:2181"]) for n in range(5)}
    nerve = sandbox.nerve("one", {**far, "web": watched(one, healthy, path)},
                          start=False, heartbeat_path=beat)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((HOST, 53))
        nerve.start(binary)
        wait.until(lambda: os.path.exists(beat), 4, "the heart beats")
        wait.until(lambda: children(witness, path), 4, "it is registered")
        assert not nerve.process.lines("zk0.e2e:.*; next try in")
