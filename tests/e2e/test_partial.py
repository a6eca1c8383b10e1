"""A part fails: one path, the connections, or ZooKeeper's speed. Everything
else continues."""

import time

import pytest
from kazoo.security import make_acl, make_digest_acl

import wait
from haproxy import web
from nerve import watched
from wire import Wire
from zookeeper import register, registrations

DELAY = 0.1
# The requests whose times are compared, and how much longer the slowest one in
# a hundred may take: ZooKeeper's speed does not affect HAProxy's traffic.
SAMPLES = 600
SPREAD = 0.010


def p99(proxy):
    """Sends requests one after the other. Returns the time that the slowest
    one in a hundred took."""
    taken = sorted(wait.elapsed(proxy.get) for _ in range(SAMPLES))
    return taken[SAMPLES * 99 // 100]


def assert_as_fast(proxy, calm, what):
    """Asserts that HAProxy is as fast. A real slowdown shows each time; a busy
    machine shows only at times."""
    wait.until(lambda: p99(proxy) < calm * 3 + SPREAD, 30,
               f"{what}, requests are as fast as before: {calm:.4f} s")


def test_a_path_without_rights_with_broken_data_or_gone_keeps_its_instances(
        sandbox, healthy, witness, path):
    names = ["forbidden", "broken", "gone", "fine"]
    services = {name: sandbox.service(name) for name in names}
    nodes = {name: register(witness, f"{path}/{name}",
                            services[name].payload(name)) for name in names}
    proxy = sandbox.haproxy([web(healthy, f"{path}/{name}", name=name)
                             for name in names],
                            synapse={"resync_interval": 1})
    for name in names:
        proxy.serves([services[name]], name)
    witness.add_auth("digest", "root:secret")
    witness.set_acls(f"{path}/forbidden",
                     [make_digest_acl("root", "secret", all=True),
                      make_acl("world", "anyone", create=True)])
    register(witness, f"{path}/forbidden", services["forbidden"].payload("x"))
    witness.set(nodes["broken"], b'{"host": "127.0.0.1", "port"')
    witness.delete(f"{path}/gone", recursive=True)
    start = time.monotonic()
    more = sandbox.service("more")
    node = register(witness, f"{path}/fine", more.payload("more"))
    proxy.serves([services["fine"], more], "fine", seconds=3)
    print(f"the fine one converged in {time.monotonic() - start:.2f} s")
    proxy.process.says(f"{path}/forbidden: cannot be read: not authenticated")
    proxy.process.says(f"{nodes['broken']}.*refused")
    proxy.process.says(f"{path}/gone: no such znode; "
                       "(1 instance is kept|no instance was known)")
    for name in names[:3]:
        assert proxy.serving(name) == [services[name].address], name
    witness.set_acls(f"{path}/forbidden", [make_acl("world", "anyone",
                                                    all=True)])
    witness.set(nodes["broken"], more.payload("more"))
    register(witness, f"{path}/gone", more.payload("more"))
    proxy.process.says(f"{path}/forbidden: can be read again", seconds=40)
    proxy.serves([more], "broken")
    proxy.serves([more], "gone")
    witness.delete(node)
    proxy.serves([services["fine"]], "fine")


# The agent had read that the old names were gone. The data of the new ones was
# lost with the connection, so all instances were out of traffic until the next
# connection.
def test_who_registers_anew_while_the_connection_breaks_goes_on_serving(
        sandbox, path):
    server = sandbox.zookeeper()
    wire, client = Wire(sandbox, server), server.client()
    crowd = sandbox.crowd("one", 6).members
    nodes = [register(client, path, it.payload(it.name)) for it in crowd]
    # Nothing else keeps them: without checks there is no guard, and the other
    # instances are there.
    proxy = sandbox.haproxy([web(wire, path, server="")])
    proxy.serves(crowd)
    changed = r"Server web/\S+ (is|was) "
    before = proxy.process.lines(changed)
    wire.forget()
    wire.delay = 0.3
    transaction = client.transaction()
    for it, node in zip(crowd[:3], nodes):
        transaction.create(f"{path}/{it.name}_", it.payload(it.name),
                           ephemeral=True, sequence=True)
        transaction.delete(node)
    transaction.commit()
    wait.until(lambda: wire.counts["get"] > 0, 10, "the new names are read")
    wire.cut()
    wire.delay = 0
    def known():
        with open(proxy.snapshot) as file:
            text = file.read()
        return all(name in text for name in client.get_children(path))
    wait.until(known, 20, "the new names are known")
    assert proxy.process.lines(changed) == before


@pytest.mark.parametrize("who", ["agent", "nerve"])
def test_too_many_connections_are_told_with_their_cause_and_pass(
        who, sandbox, path):
    server = sandbox.zookeeper(lines=["maxClientCnxns=1"])
    blocker = server.client()
    one = sandbox.service("one")
    if who == "agent":
        proxy = sandbox.haproxy([web(server, path)])
        told = proxy.process
    else:
        told = sandbox.nerve("one", {"one": watched(one, server, path)}).process
    told.says(r"likely too many connections .*\(maxClientCnxns\)", seconds=20)
    blocker.stop()
    if who == "agent":
        told.says("session with .* connected", seconds=20)
    else:
        told.says("registered", seconds=20)
        told.stop()
        client = server.client()
        assert registrations(client, path) == []


def test_traffic_does_not_notice_a_slow_or_hanging_zookeeper(sandbox, path):
    server = sandbox.zookeeper()
    wire = Wire(sandbox, server)
    client = server.client()
    one, two = sandbox.service("one"), sandbox.service("two")
    register(client, path, one.payload("one"))
    proxy = sandbox.haproxy([web(wire, path)])
    proxy.serves([one])
    calm = p99(proxy)
    wire.delay = DELAY
    node = register(client, path, two.payload("two"))
    proxy.serves([one, two])
    with sandbox.load(proxy, "ZooKeeper is slow") as load:
        for _ in range(10):
            client.set(node, two.payload("two", weight=3))
            load.settle(20)
    load.assert_none_failed()
    assert_as_fast(proxy, calm, "ZooKeeper is slow")
    server.freeze()
    with sandbox.load(proxy, "ZooKeeper hangs") as load:
        load.settle(120)
    load.assert_none_failed()
    assert_as_fast(proxy, calm, "ZooKeeper hangs")
    server.thaw()
