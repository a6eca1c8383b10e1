"""The data of a znode, and the server that HAProxy gets from it."""

import base64

import pytest
from kazoo.security import make_acl

import address
import wait
from haproxy import web, weighted
from service import compact
from zookeeper import register


def test_an_instance_in_the_name_of_its_znode_is_used(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([web(healthy, path)])
    code = base64.urlsafe_b64encode(one.payload("one")).decode()
    register(witness, path, b"", f"base64_{len(code)}_{code}_")
    proxy.serves([one])


def test_the_same_host_and_port_twice_is_one_server_and_the_newest_wins(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([weighted(healthy, path)])
    register(witness, path, one.payload("old", weight=1))
    newest = register(witness, path, one.payload("new", weight=5))
    proxy.serves([one])
    wait.until(lambda: proxy.weights() == {one.address: 5}, 10,
               "the newest wins")
    witness.delete(newest)
    wait.until(lambda: proxy.weights() == {one.address: 1}, 10,
               "the old one is left")
    assert proxy.serving() == [one.address]


def test_a_port_of_digits_and_addresses_of_both_kinds_are_used(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    two = sandbox.service("two", host="::1")
    proxy = sandbox.haproxy([web(healthy, path)])
    register(witness, path, compact(
        {"host": one.host, "port": str(one.port), "name": "one"}))
    register(witness, path, compact(
        {"host": "0:0:0:0:0:0:0:1", "port": two.port, "name": "two"}))
    wanted = sorted([one.address, two.address])
    wait.until(lambda: proxy.serving() == wanted, 10, "both are used")
    with sandbox.load(proxy) as load:
        wait.until(lambda: load.answers["one"] > 9 and load.answers["two"] > 9,
                   10, "both answer")
    load.assert_none_failed()


@pytest.mark.parametrize("data", [
    b"", b"not json", b"[]", b"{}", b"\x00\xff\xfe", b"{" * 100000,
    compact({"host": "10.0.0.1"}), compact({"host": "a name", "port": 80}),
    compact({"host": "10.0.0.1", "port": 0}),
    compact({"host": "10.0.0.1", "port": 65536}),
    compact({"host": "10.0.0.1", "port": "80; disable server web/s1"}),
    compact({"host": "10.0.0.1\nshutdown", "port": 80}),
    compact({"host": "0.0.0.0", "port": 80}),
    compact({"host": "224.0.0.1", "port": 80})], ids=lambda data: repr(
        data[:40]))
def test_a_znode_that_is_no_instance_is_refused_and_the_others_go_on(
        data, sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path)])
    register(witness, path, one.payload("one"))
    bad = register(witness, path, data, "bad_")
    proxy.serves([one])
    proxy.process.says(bad.rpartition("/")[2])
    register(witness, path, two.payload("two"))
    proxy.serves([one, two])


def test_a_bad_weight_is_dropped_and_the_instance_serves(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([weighted(healthy, path)])
    register(witness, path, one.payload("one", weight="heavy"))
    proxy.serves([one])
    assert proxy.process.says("weight")


def test_weights_are_used_where_asked_for_and_change_in_place(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([weighted(healthy, path)])
    node = register(witness, path, one.payload("one", weight=3))
    register(witness, path, two.payload("two", weight=1))
    wait.until(lambda: proxy.weights() == {one.address: 3, two.address: 1}, 10,
               "the weights are used")
    witness.set(node, one.payload("one", weight=2))
    wait.until(lambda: proxy.weights() == {one.address: 2, two.address: 1}, 10,
               "the change arrives")


def test_weight_0_drains_whether_weights_are_used_or_not(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path)])
    register(witness, path, one.payload("one", weight=9))
    node = register(witness, path, two.payload("two", weight=4))
    proxy.serves([one, two])
    assert set(proxy.weights().values()) == {1}
    with sandbox.load(proxy) as load:
        wait.until(lambda: load.answers["two"] > 9, 10, "two gets traffic")
        witness.set(node, two.payload("two", weight=0))
        wait.until(lambda: proxy.weights()[two.address] == 0 or
                   proxy.serving() == [one.address], 10, "two is drained")
        load.settle()
        count = load.answers["two"]
        load.settle(100)
        assert load.answers["two"] == count
        witness.set(node, two.payload("two", weight=4))
        count = load.answers["two"]
        wait.until(lambda: load.answers["two"] > count + 9, 10,
                   "two gets traffic again")
    load.assert_none_failed()


def test_an_instance_keeps_its_slot_while_others_come_and_go(
        sandbox, healthy, witness, path):
    services = [sandbox.service(f"s{n}") for n in range(3)]
    proxy = sandbox.haproxy([web(healthy, path)])
    nodes = [register(witness, path, it.payload(it.name)) for it in services]
    proxy.serves(services)
    before = proxy.slots()
    witness.delete(nodes[0])
    proxy.serves(services[1:])
    register(witness, path, services[0].payload("s0"))
    proxy.serves(services)
    after = proxy.slots()
    for service in services[1:]:
        assert after[service.address] == before[service.address]


def test_a_freed_slot_rests_until_its_sessions_are_gone(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path)])
    node = register(witness, path, one.payload("one"))
    proxy.serves([one])
    slot = proxy.slots()[one.address]
    with proxy.hold("/slow"):
        register(witness, path, two.payload("two"))
        proxy.serves([one, two])
        witness.delete(node)
        proxy.serves([two])
        fresh = address.port()
        register(witness, path, compact(
            {"host": one.host, "port": fresh, "name": "fresh"}))
        wait.until(lambda: f"{one.host}:{fresh}" in proxy.slots(), 10,
                   "the new instance has a slot")
        assert proxy.slots()[f"{one.host}:{fresh}"] != slot
        assert proxy.servers()[slot]["scur"] == "1"


def test_instances_beyond_the_slots_wait_and_are_told(
        sandbox, healthy, witness, path):
    services = [sandbox.service(f"s{n}") for n in range(3)]
    proxy = sandbox.haproxy([web(healthy, path, slots=2,
                                 haproxy={"server_options": None})])
    nodes = [register(witness, path, it.payload(it.name)) for it in services]
    wait.until(lambda: len(proxy.serving()) == 2, 10, "two are used")
    proxy.process.says("without a slot .*server_options is not set")
    left = [node for node, it in zip(nodes, services)
            if it.address in proxy.serving()]
    waiting = [it for it in services if it.address not in proxy.serving()]
    witness.delete(left[0])
    wait.until(lambda: waiting[0].address in proxy.serving(), 10,
               "the one that waited is used")


def test_default_servers_serve_while_nothing_is_registered(
        sandbox, healthy, witness, path):
    spare, one = sandbox.service("spare"), sandbox.service("one")
    proxy = sandbox.haproxy([web(healthy, path, service={"default_servers": [
        {"name": "spare", "host": spare.host, "port": spare.port}]})])
    proxy.serves([spare])
    node = register(witness, path, one.payload("one"))
    proxy.serves([one])
    witness.delete(node)
    proxy.serves([spare])


def test_the_last_instances_stay_unless_previous_backends_are_not_wanted(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    keeps = web(healthy, path)
    drops = web(healthy, path, name="drops",
                service={"use_previous_backends": False})
    proxy = sandbox.haproxy([keeps, drops])
    node = register(witness, path, one.payload("one"))
    proxy.serves([one], "web")
    proxy.serves([one], "drops")
    witness.delete(node)
    proxy.serves([], "drops")
    assert proxy.serving("web") == [one.address]
    assert proxy.get("/") == (200, "one")


def test_many_changes_at_once_are_few_batches(
        sandbox, healthy, witness, path):
    proxy = sandbox.haproxy([web(healthy, path, slots=60, server="")])
    transaction = witness.transaction()
    witness.ensure_path(path)
    for number in range(50):
        transaction.create(f"{path}/i_{number:010}", compact(
            {"host": "127.0.0.1", "port": 30000 + number, "name": "i"}))
    transaction.commit()
    wait.until(lambda: len(proxy.serving()) == 50, 15, "all are used")
    told = proxy.process.lines(r"\bweb: .*(instance|command|plan|sent)")
    assert len(told) <= 15, told


def test_a_path_without_rights_is_told_and_delays_no_other(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    secret, public = f"{path}/secret", f"{path}/public"
    register(witness, secret, one.payload("one"))
    register(witness, public, two.payload("two"))
    witness.set_acls(secret, [make_acl("world", "anyone", write=True,
                                       admin=True)])
    proxy = sandbox.haproxy([web(healthy, secret, name="secret"),
                             web(healthy, public, name="public")])
    proxy.serves([two], "public")
    proxy.process.says(f"{secret}: .*cannot be read")
    assert proxy.serving("secret") == []
    witness.set_acls(secret, [make_acl("world", "anyone", all=True)])
    proxy.serves([one], "secret", seconds=20)
