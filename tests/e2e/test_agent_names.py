"""Host names in the agent's configuration: of ZooKeeper's servers, and of
default servers."""

import socket
import time

import pytest

import wait
from address import HOST
from etc import with_its_own
from haproxy import Backend, web
from nameserver import NameServer
from wire import Wire
from zookeeper import register

DNS = 53


@pytest.fixture
def binary(sandbox):
    """Returns a HAProxy whose only name server is at HOST."""
    return with_its_own(sandbox, "haproxy", "resolv.conf",
                        f"nameserver {HOST}\n")[1]


@pytest.fixture
def mute():
    """A name server that takes questions and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HOST, DNS))
        yield server


def test_a_server_whose_name_is_known_late_takes_the_session_over(
        sandbox, binary, healthy, witness, path):
    """The agent looked its servers' names up at load and never again. If only
    zk1 had an address then, zk2 and zk3 were never used: when zk1 failed, the
    session expired, although both could be reached by then. No log line named
    them."""
    names = NameServer(sandbox, DNS)
    names.tell("zk1.e2e", HOST)
    first, *others = [Wire(sandbox, healthy) for _ in range(3)]
    proxy = sandbox.haproxy([Backend(path=path, hosts=[
        f"zk{n}.e2e:{wire.port}"
        for n, wire in enumerate([first, *others], 1)])], binary=binary)
    one, two = sandbox.service("one"), sandbox.service("two")
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    [line] = proxy.process.lines("the others are used")
    assert "zk2.e2e: " in line and "zk3.e2e: " in line
    assert "zk1.e2e: " not in line
    names.tell("zk2.e2e", HOST)
    names.tell("zk3.e2e", HOST)
    first.blocked = True
    first.cut()
    proxy.process.says("new_handle")
    assert sum(wire.counts["connect"] for wire in others) > 0
    register(witness, path, two.payload("two"))
    proxy.serves([one, two])
    assert not proxy.process.lines("expired")


def test_an_ensemble_whose_names_nobody_knew_at_load_is_found_without_a_reload(
        sandbox, binary, healthy, witness, path):
    names = NameServer(sandbox, DNS)
    one = sandbox.service("one")
    port = healthy.hosts.rpartition(":")[2]
    proxy = sandbox.haproxy([Backend(hosts=[f"zk.e2e:{port}"], path=path)],
                            binary=binary, status=True)
    register(witness, path, one.payload("one"))
    proxy.process.says("zk.e2e:.*asked for until it is found")
    wait.until(lambda: "zk.e2e: Name or service not known"
               in proxy.get("/status.json", proxy.status_port)[1], 10,
               "the page names the cause")
    names.tell("zk.e2e", HOST)
    proxy.serves([one], seconds=40)


def test_name_servers_that_hang_at_load_cost_five_seconds_and_no_server(
        sandbox, binary, mute, healthy, witness, path):
    """A name server without an answer blocked `haproxy -c`, the start and each
    reload for half a minute. A default server whose name had no address
    stopped HAProxy from starting."""
    one, spare = sandbox.service("one"), sandbox.service("spare")
    names = [f"zk{n}.e2e:{healthy.hosts.rpartition(':')[2]}" for n in (1, 2)]
    backends = [
        web(healthy, path, service={"default_servers": [
            {"name": "d", "host": "spare.e2e", "port": spare.port}]}),
        Backend(name="far", hosts=names, path=path)]
    proxy = sandbox.haproxy(backends, binary=binary, start=False)
    before = time.monotonic()
    status, text = proxy.check()
    took = time.monotonic() - before
    assert status == 0, text
    assert "no answer within 5 s; asked for until it is found" in text
    assert "spare.e2e:1: no answer within 5 s; left out" in text
    assert 4 < took < 5 + 3 * wait.FACTOR
    proxy.start()
    assert proxy.serving() == []
    mute.close()
    server = NameServer(sandbox, DNS)
    server.tell("spare.e2e", HOST)
    proxy.serves([spare], seconds=40)
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    for name in names:
        server.tell(name.partition(":")[0], HOST)
    proxy.serves([one], "far", seconds=40)


def test_the_last_known_addresses_serve_where_dns_does_not_answer_at_start(
        sandbox, binary, healthy, witness, path):
    names = NameServer(sandbox, DNS)
    for name in ("zk.e2e", "spare.e2e"):
        names.tell(name, HOST)
    one, spare = sandbox.service("one"), sandbox.service("spare")
    port = healthy.hosts.rpartition(":")[2]
    default = {"default_servers": [
        {"name": "d", "host": "spare.e2e", "port": spare.port}]}
    proxy = sandbox.haproxy([
        Backend(hosts=[f"zk.e2e:{port}"], path=path),
        web(healthy, f"{path}/none", name="other", service=default)],
        binary=binary)
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    proxy.serves([spare], "other")
    proxy.remembers([one])
    wait.until(lambda: '"spare.e2e:1":' in open(proxy.snapshot).read(), 10,
               "the snapshot has the addresses")
    proxy.stop()
    names.process.close()
    proxy.start()
    proxy.serves([one])
    proxy.serves([spare], "other")
    assert proxy.process.lines("spare.e2e.*the last known addresses are used")
    two = sandbox.service("two")
    register(witness, path, two.payload("two"))
    proxy.serves([one, two])
