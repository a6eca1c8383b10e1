"""ZooKeeper's servers are known to nerve by a name, which may come to mean
others."""

import os

import pytest

import program
import wait
from address import OTHER_HOST
from nerve import watched
from zookeeper import ZooKeeper, children, registrations

NAME = "zk.e2e"


class Names:
    """An /etc/hosts of its own for what is started as `binary`."""

    def __init__(self, sandbox):
        self._file = sandbox.write("hosts", "")
        self.binary = sandbox.write("nerve-with-hosts", f"""#!/bin/sh
exec unshare --mount sh -c 'mount --bind {self._file} /etc/hosts
exec {program.NERVE} "$@"' sh "$@"
""")
        os.chmod(self.binary, 0o755)

    def tell(self, host):
        """From now on NAME is `host`; None: nobody knows it."""
        with open(self._file, "w") as file:
            file.write(f"{host} {NAME}\n" if host else "")


@pytest.fixture
def names(sandbox):
    return Names(sandbox)


@pytest.mark.parametrize("known", ["nowhere", "where it was"])
def test_a_server_that_moves_while_it_is_away_is_found_by_its_name(
        known, sandbox, names, path):
    """The name was looked up anew once in an outage. Where the name servers
    were away too, or told the old address still, nerve never learnt more."""
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
               "its name is looked up anew")
    other = ZooKeeper(sandbox, "other", host=OTHER_HOST, port=server.port)
    sandbox.at_end(other.close)
    other.start()
    names.tell(other.host)
    client = other.client()
    wait.until(lambda: registrations(client, path) == [one.payload("one")],
               40, "it is registered there")
