"""Instances whose znode has a host name: HAProxy's own resolver finds their
addresses."""

import pytest

import address
import wait
from haproxy import CHECKED, Backend
from nameserver import SECTION, NameServer
from service import compact
from zookeeper import register

NAMED = "one.e2e"


def named(name, one):
    return compact({"host": name, "port": one.port, "name": one.name})


def backend(zookeeper, path, names=2, slots=4, check=CHECKED, **more):
    """Slots for addresses, and slots for names."""
    lines = [f"server-template n 1-{names} 240.0.0.1:1 {check} resolvers "
             f"{SECTION} resolve-opts allow-dup-ip disabled"] if names else []
    return Backend(hosts=[zookeeper.hosts], path=path, slots=slots,
                   server=check, lines=lines, **more)


# Without it the name in the only slot is the only name that HAProxy resolves.
# An answer for a name that the slot no longer has then stops HAProxy's
# resolver: in HAProxy 3.x until 20 s after its start.
AWAKE = ["backend awake",
         f"  server s 240.0.0.1:1 resolvers {SECTION} disabled"]


@pytest.fixture
def names(sandbox):
    return NameServer(sandbox)


def test_a_name_that_changes_its_address_is_followed_and_no_request_fails(
        sandbox, healthy, witness, path, names):
    one = sandbox.service("one")
    two = sandbox.service("two", host=address.OTHER_HOST)
    two.process.close()
    two.port = one.port
    two.start()
    names.tell(NAMED, one.host)
    proxy = sandbox.haproxy([backend(healthy, path)], after=names.section())
    register(witness, path, named(NAMED, one))
    proxy.serves([one])
    with sandbox.load(proxy, "a name changes its address") as load:
        wait.until(lambda: load.answers["one"] > 99, 10, "the first serves")
        names.tell(NAMED, two.host)
        proxy.serves([two])
        wait.until(lambda: load.answers["two"] > 99, 10, "the second serves")
    load.assert_none_failed()
    assert not proxy.process.lines("not as last set")


def test_names_and_addresses_serve_side_by_side_and_a_reload_breaks_neither(
        sandbox, healthy, witness, path, names):
    one, two = sandbox.service("one"), sandbox.service("two")
    names.tell(NAMED, one.host)
    proxy = sandbox.haproxy([backend(healthy, path)], after=names.section())
    znode = register(witness, path, named(NAMED, one))
    register(witness, path, two.payload("two"))
    proxy.serves([one, two])
    proxy.remembers([one, two])
    wait.until(lambda: f'"address":"{one.host}"' in open(
        proxy.snapshot).read(), 10, "the snapshot has the address")
    with sandbox.load(proxy, "a reload with names") as load:
        proxy.reload()
        wait.until(lambda: NAMED in proxy.ask("show servers state web"), 10,
                   "the new worker resolves the name")
        proxy.serves([one, two])
        witness.delete(znode)
        proxy.serves([two])
    load.assert_none_failed()


def test_a_name_without_an_address_waits_until_it_has_one(
        sandbox, healthy, witness, path, names):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([backend(healthy, path, check="")],
                            after=names.section(), status=True)
    register(witness, path, named(NAMED, one))
    wait.until(lambda: NAMED in proxy.ask("show servers state web"), 10,
               "HAProxy has the name")
    wait.always(lambda: proxy.serving() == [], 1, "it does not serve")
    assert '"pending"' in proxy.get("/status.json", proxy.status_port)[1]
    names.tell(NAMED, one.host)
    proxy.serves([one])
    assert proxy.get() == (200, "one")


def test_a_name_is_not_believed_that_points_where_no_instance_can_be(
        sandbox, healthy, witness, path, names):
    one = sandbox.service("one")
    names.tell(NAMED, "169.254.169.254")
    proxy = sandbox.haproxy([backend(healthy, path, check="")],
                            after=names.section())
    register(witness, path, named(NAMED, one))
    wait.until(lambda: "169.254.169.254" in proxy.ask(
        "show servers state web"), 10, "HAProxy has the address")
    wait.always(lambda: proxy.serving() == [], 1.5, "it does not serve")
    names.tell(NAMED, one.host)
    proxy.serves([one])


def test_another_name_in_a_slot_is_never_served_from_where_the_first_was(
        sandbox, healthy, witness, path, names):
    one, two = sandbox.service("one"), sandbox.service("two")
    names.tell(NAMED, one.host)
    proxy = sandbox.haproxy([backend(healthy, path, names=1)],
                            after=[*names.section(), *AWAKE])
    znode = register(witness, path, named(NAMED, one))
    proxy.serves([one])
    witness.delete(znode)
    register(witness, path, named("two.e2e", two))
    wait.until(lambda: "two.e2e" in proxy.ask("show servers state web"), 10,
               "the slot has the other name")
    assert proxy.serving() == []
    names.tell("two.e2e", two.host)
    proxy.serves([two])


def test_a_name_is_refused_by_a_backend_without_slots_for_it(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([backend(healthy, path, names=0)])
    register(witness, path, named(NAMED, one))
    register(witness, path, two.payload("two"))
    proxy.serves([two])
    [line] = proxy.process.lines(f"^synapse: web: {NAMED}:{one.port} has a "
                                 "host name; refused")
    assert "server-template n 1-4 240.0.0.1:1 resolvers" in line


def test_names_beyond_their_slots_wait_and_that_is_told(
        sandbox, healthy, witness, path, names):
    one, two = sandbox.service("one"), sandbox.service("two")
    for name in (NAMED, "two.e2e"):
        names.tell(name, one.host)
    proxy = sandbox.haproxy([backend(healthy, path, names=1)],
                            after=[*names.section(), *AWAKE])
    first = register(witness, path, named(NAMED, one))
    proxy.serves([one])
    register(witness, path, named("two.e2e", two))
    proxy.process.says("1 instance without a slot .two.e2e:.*; no slot for "
                       "host names")
    assert proxy.serving() == [one.address]
    witness.delete(first)
    proxy.serves([two])


def test_haproxy_itself_follows_a_server_of_zookeeper_to_another_address(
        sandbox, healthy, path, witness, names):
    """haproxy/README.md shows a `listen` with `resolvers` in front of the
    ensemble."""
    one = sandbox.service("one")
    host, port = healthy.hosts.split(":")
    names.tell("zk.e2e", address.OTHER_HOST)
    front = address.port()
    proxy = sandbox.haproxy(
        [Backend(hosts=[f"{address.HOST}:{front}"], path=path)],
        after=[*names.section(), "listen zk", "  mode tcp",
               "  timeout client 1m", "  timeout server 1m",
               f"  bind {address.HOST}:{front}",
               f"  server zk zk.e2e:{port} resolvers {SECTION} "
               "init-addr last,libc,none check inter 200ms"])
    register(witness, path, one.payload("one"))
    proxy.process.says("zk/zk is DOWN")
    names.tell("zk.e2e", host)
    proxy.serves([one])
