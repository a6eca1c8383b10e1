"""The other types of znodes that airbnb's nerve can be configured to make."""

import pytest

import wait
from nerve import SESSION_TIMEOUT, watched
from zookeeper import births, children, registrations


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


@pytest.mark.parametrize("kind, owned", [("ephemeral", True),
                                         ("persistent", False)])
def test_a_znode_without_a_number_is_made_and_removed(
        kind, owned, sandbox, one, healthy, witness, path):
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path,
                                                 node_type=kind)})
    wait.until(lambda: children(witness, path) == ["one_"], 10,
               "it is registered")
    data, stat = witness.get(f"{path}/one_")
    assert data == one.payload("one")
    assert bool(stat.ephemeralOwner) == owned
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "it is removed")
    one.set_health("up")
    wait.until(lambda: children(witness, path), 10, "it is back")
    assert nerve.process.stop(seconds=2) == 0
    assert children(witness, path) == []


def test_an_ephemeral_znode_is_taken_over_when_the_old_session_ends(
        sandbox, one, healthy, witness, path):
    """nerve is killed, and started again before its session has expired."""
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path,
                                                 node_type="ephemeral")})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    before = births(witness, path)
    nerve.process.kill()
    nerve.start()
    nerve.process.says("is held by session")
    assert births(witness, path) == before
    wait.until(lambda: is_another(births(witness, path), before),
               SESSION_TIMEOUT + 10, "it is registered again")
    wait.always(lambda: registrations(witness, path) == [one.payload("one")],
                SESSION_TIMEOUT, "it stays")


def test_another_instances_ephemeral_znode_is_left_alone(
        sandbox, one, healthy, witness, path):
    witness.create(f"{path}/one_", b"{}", ephemeral=True, makepath=True)
    before = births(witness, path)
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path,
                                                 node_type="ephemeral")})
    nerve.process.says("is another instance's")
    wait.always(lambda: births(witness, path) == before, 1.5, "it stays")
    witness.delete(f"{path}/one_")
    wait.until(lambda: registrations(witness, path) == [one.payload("one")], 5,
               "it is registered")


@pytest.mark.parametrize("kind", ["persistent", "persistent_sequential"])
def test_a_persistent_znode_outlives_nerve_and_is_found_again(
        kind, sandbox, one, healthy, witness, path):
    service = watched(one, healthy, path, node_type=kind)
    nerve = sandbox.nerve("one", {"web": service})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    before = births(witness, path)
    nerve.process.kill()
    nerve.configure({"web": dict(service, weight=2)})
    nerve.start()
    wait.until(lambda: registrations(witness, path)
               == [one.payload("one", weight=2)], 10, "it is adopted and set")
    assert births(witness, path) == before
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "it is removed")


def test_a_persistent_znode_is_written_again_and_again(
        sandbox, one, healthy, witness, path):
    sandbox.nerve("one", {"web": watched(one, healthy, path,
                                         node_type="persistent",
                                         ttl_seconds=0.3)})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    wait.until(lambda: witness.exists(f"{path}/one_").version >= 3, 10,
               "it is written three times")
    assert registrations(witness, path) == [one.payload("one")]


@pytest.mark.parametrize("kinds", [
    ("ephemeral", "persistent"), ("persistent", "ephemeral"),
    ("ephemeral_sequential", "ephemeral"),
    ("persistent", "persistent_sequential")], ids="-".join)
def test_another_type_of_znode_takes_the_place_of_the_old_one(
        kinds, sandbox, one, healthy, witness, path):
    old, new = (watched(one, healthy, path, node_type=kind) for kind in kinds)
    nerve = sandbox.nerve("one", {"web": old})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    before = births(witness, path)
    nerve.reload({"web": new})
    wait.until(lambda: is_another(births(witness, path), before), 15,
               "only the new one is there")
    wait.always(lambda: registrations(witness, path) == [one.payload("one")],
                1, "it stays")


def is_another(found, before):
    """Tells whether there is one znode that was not there before."""
    return len(found) == 1 and not set(found.values()) & set(before.values())


def test_an_ephemeral_znode_moves_to_another_session(
        sandbox, one, healthy, witness, path):
    service = watched(one, healthy, path, node_type="ephemeral")
    nerve = sandbox.nerve("one", {"web": service})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    before = births(witness, path)
    nerve.reload({"web": dict(service, zk_hosts=service["zk_hosts"]
                              + ["127.0.0.1:1"])})
    wait.until(lambda: is_another(births(witness, path), before), 15,
               "the new session has it")
    assert registrations(witness, path) == [one.payload("one")]


@pytest.mark.parametrize("kind", ["ephemeral", "ephemeral_sequential"])
def test_what_an_earlier_run_left_for_ever_is_removed(
        kind, sandbox, one, healthy, witness, path):
    """A nerve that had persistent znodes was killed. A similar znode of
    another owner stays."""
    witness.ensure_path(path)
    ours, theirs = one.payload("one"), one.payload("two")
    for _ in range(2):
        witness.create(f"{path}/one_", ours, sequence=True)
    others = {witness.create(f"{path}/one_", data, sequence=True,
                             ephemeral=ephemeral)
              for data, ephemeral in [(theirs, False), (ours, True)]}
    others.add(witness.create(f"{path}/two_", ours, sequence=True))
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path,
                                                 node_type=kind)})
    nerve.process.says("registered as")
    wait.until(lambda: len(children(witness, path)) == len(others) + 1, 15,
               "two are removed")
    found = {f"{path}/{name}" for name in children(witness, path)}
    assert others < found
    wait.until(lambda: len(nerve.process.lines(
        "removing .*, left by an earlier run")) == 2, 10, "it is told")
    wait.always(lambda: {f"{path}/{name}" for name in
                         children(witness, path)} == found, 1, "others stay")
