"""TLS to ZooKeeper: its secureClientPort behind a `listen` of HAProxy, as
haproxy/README.md shows."""

import pytest

import address
import wait
from certificates import Authority
from haproxy import Backend
from zookeeper import register

NAME = "zk1.example"


@pytest.fixture
def authority(sandbox):
    return Authority(sandbox, "ensemble")


@pytest.fixture
def server(sandbox, authority):
    """A ZooKeeper with a port for TLS, and a plain port for the test
    itself."""
    port = address.port()
    server = sandbox.zookeeper(lines=[
        f"secureClientPort={port}",
        f"secureClientPortAddress={address.HOST}",
        "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
        f"ssl.keyStore.location={authority.certificate(NAME)}",
        "ssl.clientAuth=none"])
    server.secure = f"{address.HOST}:{port}"
    return server


def proxy_over_tls(sandbox, server, path, authority, name=NAME):
    """A HAProxy whose agent can reach ZooKeeper in this way only."""
    port = address.port()
    return sandbox.haproxy(
        [Backend(hosts=[f"{address.HOST}:{port}"], path=path)],
        after=["listen zk1", "  mode tcp", f"  bind {address.HOST}:{port}",
               f"  server zk1 {server.secure} ssl verify required "
               f"ca-file {authority.file} verifyhost {name} check"])


def test_instances_come_and_go_over_tls_and_a_reload_and_no_request_fails(
        sandbox, server, authority, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    client = server.client()
    znode = register(client, path, one.payload("one"))
    proxy = proxy_over_tls(sandbox, server, path, authority)
    proxy.serves([one])
    proxy.remembers([one])
    with sandbox.load(proxy, "TLS to ZooKeeper") as load:
        register(client, path, two.payload("two"))
        proxy.serves([one, two])
        proxy.remembers([one, two])
        proxy.reload()
        wait.until(lambda: len(proxy.process.lines(
            "^synapse: session with .* connected")) > 1, 20,
            "the new worker has a session")
        client.delete(znode)
        proxy.serves([two])
    load.assert_none_failed()


WRONG = {"another authority": ("others", NAME),
         "another name": (None, "zk2.example")}


@pytest.mark.parametrize("case", WRONG)
def test_a_server_that_cannot_prove_who_it_is_gets_no_session(
        case, sandbox, server, authority, path):
    other, name = WRONG[case]
    one = sandbox.service("one")
    register(server.client(), path, one.payload("one"))
    proxy = proxy_over_tls(sandbox, server, path, Authority(sandbox, other)
                           if other else authority, name)
    proxy.process.says("Server zk1/zk1 is DOWN.*(SSL|Layer6)")
    wait.always(lambda: proxy.serving() == [], 1, "nobody serves")
    assert not proxy.process.lines("session with .* connected")
