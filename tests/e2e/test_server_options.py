"""What an instance's znode says about its server in
`haproxy_server_options`."""

import json
import urllib.request

import pytest

import wait
from haproxy import CHECKED, SLOT, web
from zookeeper import register

DECLARED = 7
SLOTS = f"{CHECKED} maxconn {DECLARED}"
BACKUPS = f"server-template b 1-1 {SLOT} {SLOTS} backup disabled"
NOTHING = (DECLARED, 1, False)


@pytest.fixture
def two(sandbox):
    return [sandbox.service(name) for name in ("one", "two")]


def said(service, words):
    return service.payload(service.name, haproxy_server_options=words)


def told(proxy):
    """Returns for each server in use, by its host:port: maxconn, weight,
    backup."""
    return {row["addr"]: (int(row["slim"] or 0), int(row["weight"]),
                          row["bck"] == "1")
            for row in proxy.servers().values()
            if not row["status"].startswith("MAINT")}


def becomes(proxy, wanted):
    wait.until(lambda: told(proxy) == wanted, 10, f"the servers are {wanted}")


def instances(proxy):
    """Returns what the status says about each instance, by its host:port."""
    url = f"http://{proxy.host}:{proxy.status_port}/status.json?service=web"
    with urllib.request.urlopen(url, timeout=5 * wait.FACTOR) as answer:
        [found] = json.load(answer)["services"]
    return {it["instance"]: it for it in found["instances"]}


def test_weight_and_maxconn_are_set_live_and_go_back_when_they_go(
        sandbox, two, healthy, witness, path):
    one, other = two
    proxy = sandbox.haproxy([web(healthy, path, server=SLOTS)])
    znode = register(witness, path, said(one, "maxconn 3 weight 50"))
    register(witness, path, other.payload("two"))
    becomes(proxy, {one.address: (3, 50, False), other.address: NOTHING})
    proxy.remembers(two)
    with sandbox.load(proxy, "a znode's words change") as load:
        witness.set(znode, said(one, "weight 300 maxconn 4"))
        becomes(proxy, {one.address: (4, 256, False), other.address: NOTHING})
        proxy.reload()
        becomes(proxy, {one.address: (4, 256, False), other.address: NOTHING})
        witness.set(znode, one.payload("one"))
        becomes(proxy, {one.address: NOTHING, other.address: NOTHING})
    load.assert_none_failed()
    proxy.process.says("weight 300 is above 256, used as 256")
    assert not proxy.process.lines("not as last set|refused:")


def test_a_slot_does_not_keep_the_maxconn_of_its_last_instance(
        sandbox, two, healthy, witness, path):
    one, other = two
    proxy = sandbox.haproxy([web(healthy, path, server=SLOTS, slots=1,
                                 haproxy={"server_options": None})])
    znode = register(witness, path, said(one, "maxconn 3"))
    becomes(proxy, {one.address: (3, 1, False)})
    register(witness, path, other.payload("two"))
    witness.delete(znode)
    becomes(proxy, {other.address: NOTHING})


def test_a_backup_serves_when_no_other_does_and_may_become_an_ordinary_one(
        sandbox, two, healthy, witness, path):
    one, spare = two
    proxy = sandbox.haproxy([web(healthy, path, server=SLOTS,
                                 lines=[BACKUPS])])
    register(witness, path, one.payload("one"))
    znode = register(witness, path, said(spare, "backup"))
    becomes(proxy, {one.address: NOTHING, spare.address: (DECLARED, 1, True)})
    with sandbox.load(proxy, "a backup waits, then serves") as load:
        wait.until(lambda: load.answers["one"] > 99, 10, "the other serves")
        assert load.answers["two"] == 0
        witness.set(znode, spare.payload("two"))
        becomes(proxy, {one.address: NOTHING, spare.address: NOTHING})
        wait.until(lambda: load.answers["two"] > 99, 10, "it serves beside it")
        witness.set(znode, said(spare, "backup"))
        becomes(proxy, {one.address: NOTHING,
                        spare.address: (DECLARED, 1, True)})
        load.settle()
        served = load.answers["two"]
        load.settle(20)
        assert load.answers["two"] == served
        proxy.ask(f"set server web/{proxy.slots()[one.address]} state maint")
        load.settle()
        wait.until(lambda: load.answers["two"] > served + 99, 10, "it serves")
    load.assert_none_failed()


def test_a_slot_is_added_for_a_backup_where_none_of_those_is_free(
        sandbox, two, healthy, witness, path):
    proxy = sandbox.haproxy([web(healthy, path, server=SLOTS,
                                 lines=[BACKUPS])])
    for one in two:
        register(witness, path, said(one, "backup maxconn 2"))
    becomes(proxy, {one.address: (2, 1, True) for one in two})
    proxy.process.says("1 slot added")
    proxy.remembers(two)
    proxy.reload()
    becomes(proxy, {one.address: (2, 1, True) for one in two})


def test_what_is_not_applied_is_told_with_its_instance(
        sandbox, two, healthy, witness, path):
    one, other = two
    proxy = sandbox.haproxy([web(healthy, path, server=SLOTS)], status=True)
    register(witness, path, said(one, "id 12 maxconn 3; show info"))
    register(witness, path, said(other, "backup"))
    becomes(proxy, {one.address: NOTHING, other.address: NOTHING})
    proxy.process.says(f'{path}/other_0000000000 haproxy_server_options: '
                       '"id 12 maxconn 3; show info" is not applied')
    proxy.process.says(f"web: instance {other.address}: `backup` is not "
                       "applied: no slot is declared `backup`")
    found = instances(proxy)
    assert "is not applied" in found[one.address]["problem"]
    assert "is not applied" in found[other.address]["why"]
    assert found[other.address]["state"] == "ready"
