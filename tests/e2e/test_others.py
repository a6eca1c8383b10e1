"""Problems that users of other discovery systems have reported."""

import pytest

import wait
from ctl import controlled, done
from haproxy import web, weighted
from nerve import watched
from wire import Wire
from zookeeper import births, children, register, registrations

TURNS = 8  # How many bytes of answers pass before a connection is cut.


@pytest.mark.parametrize("slots", [6, 8])
def test_all_instances_are_replaced_at_once_and_no_request_fails(
        slots, sandbox, healthy, witness, path):
    """HAProxy's DNS discovery left spare slots empty after all endpoints had
    been replaced at once: all old ones were down and no new one had a slot.
    Here, if there were too few free slots, no server was left for a moment."""
    old = sandbox.crowd("old", 6).members
    new = sandbox.crowd("new", 6).members
    proxy = sandbox.haproxy([web(healthy, path, slots=slots,
                                 haproxy={"server_options": None})])
    for _ in range(2):
        znodes = [register(witness, path, it.payload(it.name)) for it in old]
        proxy.serves(old)
        with sandbox.load(proxy, "all are replaced at once") as load:
            change = witness.transaction()
            for znode in znodes:
                change.delete(znode)
            for it in new:
                change.create(f"{path}/{it.name}_", it.payload(it.name),
                              ephemeral=True, sequence=True)
            change.commit()
            proxy.serves(new)
            load.settle(20)
        load.assert_none_failed()
        for name in children(witness, path):
            witness.delete(f"{path}/{name}")
        old, new = new, old


def test_a_start_from_an_old_snapshot_is_soon_right(
        sandbox, healthy, witness, path):
    """After a start from an old state file HAProxy's servers kept its
    addresses, although everything had moved."""
    old, new = sandbox.service("old"), sandbox.crowd("new", 3).members
    proxy = sandbox.haproxy([web(healthy, path)])
    znode = register(witness, path, old.payload(old.name))
    proxy.serves([old])
    proxy.remembers([old])
    proxy.stop()
    witness.delete(znode)
    for it in new:
        register(witness, path, it.payload(it.name))
    proxy.start()
    proxy.serves(new)
    proxy.reload()
    proxy.serves(new)


def test_churn_on_a_connection_that_breaks_leaves_nothing_out_of_step(
        sandbox, healthy, witness, path):
    """A client that lost its connection during many changes missed some for
    good: instances that had left stayed, and others never came."""
    members = sandbox.crowd("churn", 8).members
    wire = Wire(sandbox, healthy)
    proxy = sandbox.haproxy([web(wire, path, slots=16)])
    znodes = {}
    for turn in range(3 * len(members)):
        it = members[turn % len(members)]
        if it.name in znodes:
            witness.delete(znodes.pop(it.name))
        else:
            znodes[it.name] = register(witness, path, it.payload(it.name))
        if turn % 3 == 0:
            wire.cut()
    proxy.serves([it for it in members if it.name in znodes], seconds=20)


def test_a_connection_that_breaks_again_and_again_is_no_new_registration(
        sandbox, healthy, witness, path):
    """A client registered again on every reconnect, so readers of the path saw
    the instance go and come each time."""
    one = sandbox.service("one")
    wire = Wire(sandbox, healthy)
    nerve = sandbox.nerve("one", {"web": watched(one, wire, path)})
    before = wait.until(lambda: births(witness, path), 10, "it is registered")
    for turn in range(TURNS):
        seen = len(nerve.process.lines("connected again|session resumed"))
        wire.cut()
        wait.until(lambda: len(nerve.process.lines(
            "connected again|session resumed")) > seen, 20, "it is back")
    assert births(witness, path) == before


def test_what_changed_while_away_is_what_a_new_session_registers(
        sandbox, path):
    """A client that had updated its data registered the old data again after
    its session had expired."""
    server = sandbox.zookeeper()
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, server, path, weight=9)},
                          **controlled(sandbox, "one"))
    wait.until(lambda: registrations(server.client(), path) ==
               [one.payload("one", weight=9)], 10, "it is registered")
    done(nerve, "weight", "web", "5")
    server.stop()
    server.wipe()
    nerve.reload({"web": watched(one, server, path, weight=9,
                                 labels={"zone": "b"})},
                 **controlled(sandbox, "one"))
    server.start()
    client = server.client()
    wanted = [one.payload("one", weight=5, labels={"zone": "b"})]
    wait.until(lambda: registrations(client, path) == wanted, 20,
               "the new data is registered")


def test_a_nerve_that_is_called_something_else_now_is_no_second_server(
        sandbox, healthy, witness, path):
    """A registrar in a container gets another host name at each restart. Each
    time the service was registered once more, and the old registrations
    stayed."""
    one = sandbox.service("one")
    proxy = sandbox.haproxy([weighted(healthy, path)])
    for name in ("first", "second", "third"):
        nerve = sandbox.nerve(name, {"web": watched(one, healthy, path,
                                                    weight=7)})
        wait.until(lambda: any(it.startswith(name) for it
                               in children(witness, path)), 10, name)
        proxy.serves([one])
        nerve.process.kill()
    proxy.serves([one])
    assert list(proxy.weights().values()) == [7]
    wait.until(lambda: not children(witness, path), 20,
               "what was killed is gone")
