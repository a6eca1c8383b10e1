"""Many instances vanish from ZooKeeper at once. Those that pass HAProxy's
checks stay, for a limited time."""

import time

import pytest

import wait
from haproxy import web
from zookeeper import register

# Short, so that when a test begins the instances have been there for a whole
# window.
WINDOW = 1
# How long one round of the agent may take on a busy machine.
SOON = 10


def guarded(zookeeper, path, hold=60, window=WINDOW, **more):
    settings = {"guard": {"window": window, "hold": hold}}
    return web(zookeeper, path, **{
        "slots": 32, **more, "service": {**settings, **more.get("service", {})}})


def join(client, path, members, **more):
    """Registers them. Returns their znodes."""
    transaction = client.transaction()
    client.ensure_path(path)
    for it in members:
        transaction.create(f"{path}/{it.name}_", it.payload(it.name, **more),
                           ephemeral=True, sequence=True)
    return transaction.commit()


def leave(client, nodes):
    """Deletes them in one transaction."""
    transaction = client.transaction()
    for node in nodes:
        transaction.delete(node)
    assert all(result is True for result in transaction.commit())


def settle(proxy, members, backend="web", window=WINDOW):
    """Waits until they serve and have done so for a whole window."""
    proxy.serves(members, backend)
    wait.always(lambda: len(proxy.serving(backend)) == len(members),
                window + 0.5, "they serve")


def filled(proxy):
    """Returns the sorted host:port of all slots that are not empty."""
    return sorted(proxy.slots())


def addresses(members):
    return sorted(it.address for it in members)


def changes(proxy):
    """Returns how often HAProxy logged that a server changed its state."""
    return len(proxy.process.lines(r"Server web/\S+ (is|was) "))


def test_wiped_data_fails_no_request_and_changes_no_server(sandbox, path):
    server = sandbox.zookeeper()
    crowd = sandbox.crowd("one", 20).members
    proxy = sandbox.haproxy([guarded(server, path)])
    join(server.client(), path, crowd)
    settle(proxy, crowd)
    before = changes(proxy)
    with sandbox.load(proxy, "the ensemble's data is wiped") as load:
        server.stop()
        server.wipe()
        server.start()
        client = server.client()
        join(client, path, crowd[:1])
        proxy.process.says("web: 19 of 20 instances are gone", 30)
        load.settle(100)
        join(client, path, crowd[1:])
        proxy.process.says(r"web: 1\d instances .*: registered again", SOON)
        load.settle(100)
    load.assert_none_failed()
    assert proxy.serving() == addresses(crowd)
    assert changes(proxy) == before


# The guard took ordinary deploys for accidents. Under load, 48 to 52 of 100
# requests went to instances that had left.
@pytest.mark.parametrize("step", [
    pytest.param(10, id="all-at-once"),
    pytest.param(1, id="one-after-the-other"),
])
def test_a_deploy_onto_other_addresses_leaves_no_request_behind(
        sandbox, healthy, witness, path, step):
    blue = sandbox.crowd("blue", 10).members
    green = sandbox.crowd("green", 10).members
    proxy = sandbox.haproxy([guarded(healthy, path)])
    nodes = join(witness, path, blue)
    settle(proxy, blue)
    with sandbox.load(proxy, f"blue and green, {step} at a time") as load:
        for first in range(0, 10, step):
            join(witness, path, green[first:first + step])
            leave(witness, nodes[first:first + step])
        proxy.serves(green)
        load.settle()
        before = load.answers["blue"]
        load.settle(100)
        assert load.answers["blue"] == before
    load.assert_none_failed()
    assert not proxy.process.lines("retained")


# An operator's maint was lost when the guard brought the instance back.
def test_an_operators_maint_stays_through_a_wipe_and_back(
        sandbox, healthy, witness, path):
    crowd = sandbox.crowd("one", 6).members
    proxy = sandbox.haproxy([guarded(healthy, path, window=5)])
    nodes = join(witness, path, crowd)
    settle(proxy, crowd, window=5)
    slot = proxy.slots()[crowd[0].address]
    proxy.ask(f"set server web/{slot} state maint")
    proxy.process.says(f"web: instance {crowd[0].address} ready -> maint", SOON)
    leave(witness, nodes[:1])
    proxy.process.says("web: 1 instance removed", SOON)
    leave(witness, nodes[1:4])
    proxy.process.says("web: 4 of 6 instances are gone", SOON)
    proxy.process.says("web: 1 instance added", SOON)
    assert proxy.serving() == addresses(crowd[1:])
    join(witness, path, crowd[:4])
    proxy.process.says("web: 4 instances .*: registered again", SOON)
    assert proxy.serving() == addresses(crowd[1:])
    proxy.ask(f"set server web/{slot} state ready")
    proxy.serves(crowd)


def test_those_that_are_really_dead_leave_as_fast_as_their_checks_fail(
        sandbox, healthy, witness, path):
    dead, alive = sandbox.crowd("dead", 20), sandbox.crowd("alive", 4).members
    proxy = sandbox.haproxy([guarded(healthy, path)])
    nodes = join(witness, path, dead.members)
    join(witness, path, alive)
    settle(proxy, [*dead.members, *alive])
    start = time.monotonic()
    dead.process.kill()
    leave(witness, nodes)
    proxy.serves(alive)
    failed = time.monotonic() - start
    wait.until(lambda: filled(proxy) == addresses(alive), SOON,
               "their slots are empty")
    gone = time.monotonic() - start
    print(f"out of the balance after {failed:.2f} s, slots empty after "
          f"{gone:.2f} s")


def test_a_scale_down_of_those_that_go_on_answering_ends_with_the_hold(
        sandbox, healthy, witness, path):
    hold = 4
    crowd = sandbox.crowd("one", 10).members
    proxy = sandbox.haproxy([guarded(healthy, path, hold=hold)])
    nodes = join(witness, path, crowd)
    settle(proxy, crowd)
    with sandbox.load(proxy, "scale-down from 10 to 2") as load:
        start = time.monotonic()
        leave(witness, nodes[2:])
        proxy.process.says("web: 8 of 10 instances are gone .* 4 s at most",
                           SOON)
        wait.until(lambda: filled(proxy) != addresses(crowd), hold + SOON,
                   "the hold ends")
        assert time.monotonic() - start >= hold
        proxy.serves(crowd[:2])
        load.settle(100)
    load.assert_none_failed()
    proxy.process.says("web: 8 instances .*no longer retained: the time is over")


def test_those_that_said_by_their_weight_that_they_go_leave_at_once(
        sandbox, healthy, witness, path):
    crowd = sandbox.crowd("one", 10).members
    proxy = sandbox.haproxy([guarded(healthy, path)])
    nodes = join(witness, path, crowd)
    settle(proxy, crowd)
    for node, it in zip(nodes[2:], crowd[2:]):
        witness.set(node, it.payload(it.name, weight=0))
    wait.until(lambda: list(proxy.weights().values()).count(0) == 8, SOON,
               "they are drained")
    leave(witness, nodes[2:])
    wait.until(lambda: filled(proxy) == addresses(crowd[:2]), SOON,
               "they are gone")
    assert not proxy.process.lines("retained")


def test_those_that_went_one_by_one_come_back_and_the_traffic_with_them(
        sandbox, healthy, witness, path):
    crowd = sandbox.crowd("one", 5).members
    proxy = sandbox.haproxy([guarded(healthy, path, window=5)])
    nodes = join(witness, path, crowd)
    settle(proxy, crowd, window=5)
    before = proxy.slots()
    with sandbox.load(proxy, "three of five go, one by one") as load:
        leave(witness, nodes[:1])
        wait.until(lambda: filled(proxy) == addresses(crowd[1:]), SOON,
                   "the first one is gone")
        leave(witness, nodes[1:3])
        proxy.serves(crowd)
        load.settle(100)
    load.assert_none_failed()
    assert proxy.slots() == before


# An instance that came back from maint got traffic until its first checks
# failed, even if it was dead.
def test_what_has_died_since_it_went_comes_back_as_down_and_gets_no_request(
        sandbox, healthy, witness, path):
    gone = sandbox.crowd("gone", 1)
    crowd = sandbox.crowd("one", 4).members
    proxy = sandbox.haproxy([guarded(
        healthy, path, window=8, server="check inter 2s rise 2 fall 2")])
    nodes = join(witness, path, [*gone.members, *crowd])
    settle(proxy, [*gone.members, *crowd], window=8)
    with sandbox.load(proxy, "what is brought back is dead") as load:
        leave(witness, nodes[:1])
        wait.until(lambda: filled(proxy) == addresses(crowd), SOON,
                   "the first one is gone")
        load.settle()
        gone.process.kill()
        leave(witness, nodes[1:3])
        proxy.process.says("web: 3 of 5 instances are gone", SOON)
        wait.until(lambda: filled(proxy) == addresses(crowd), SOON,
                   "its check has failed")
        load.settle(100)
    load.assert_none_failed()
    assert not proxy.process.lines(r"Server web/\S+ is UP.*Layer4 check passed")


def test_a_retained_instance_leaves_where_another_znode_has_its_address(
        sandbox, healthy, witness, path):
    crowd = sandbox.crowd("one", 6).members
    proxy = sandbox.haproxy([
        guarded(healthy, path),
        guarded(healthy, f"{path}/other", name="other")])
    nodes = join(witness, path, crowd)
    settle(proxy, crowd)
    leave(witness, nodes[:5])
    proxy.process.says("web: 5 of 6 instances are gone", SOON)
    register(witness, f"{path}/other", crowd[0].payload("moved"))
    wait.until(lambda: filled(proxy) == addresses(crowd[1:]), SOON,
               "it has moved")
    proxy.serves(crowd[:1], "other")


def test_what_no_check_can_tell_of_is_not_kept(
        sandbox, healthy, witness, path):
    crowd = sandbox.crowd("one", 6).members
    proxy = sandbox.haproxy([guarded(healthy, path, server="")])
    nodes = join(witness, path, crowd)
    settle(proxy, crowd)
    leave(witness, nodes[1:])
    proxy.serves(crowd[:1])


def test_an_empty_set_is_for_use_previous_backends_to_decide(
        sandbox, healthy, witness, path):
    crowd = sandbox.crowd("one", 4).members
    proxy = sandbox.haproxy([
        guarded(healthy, path, hold=2),
        guarded(healthy, path, hold=2, name="drops",
                service={"use_previous_backends": False})])
    nodes = join(witness, path, crowd)
    settle(proxy, crowd)
    settle(proxy, crowd, "drops")
    leave(witness, nodes)
    proxy.process.says("drops: 4 of 4 instances are gone", SOON)
    assert proxy.serving("drops") == addresses(crowd)
    proxy.serves([], "drops")
    proxy.process.says("web: no instance in ZooKeeper, the 4 previous", SOON)
    assert proxy.serving() == addresses(crowd)


def test_the_retained_stay_through_a_reload_and_no_longer_for_it(
        sandbox, healthy, witness, path):
    hold = 8
    crowd = sandbox.crowd("one", 10).members
    proxy = sandbox.haproxy([guarded(healthy, path, hold=hold)])
    nodes = join(witness, path, crowd)
    settle(proxy, crowd)
    with sandbox.load(proxy, "a reload with retained instances") as load:
        start = time.monotonic()
        leave(witness, nodes[:8])
        proxy.process.says("web: 8 of 10 instances are gone", SOON)
        wait.until(lambda: "retained" in content(proxy), SOON,
                   "the snapshot knows")
        told = proxy.process.lines("retained while")
        proxy.reload()
        assert proxy.serving() == addresses(crowd)
        proxy.serves(crowd[8:], seconds=hold + SOON)
        assert time.monotonic() - start >= hold
        load.settle(100)
    load.assert_none_failed()
    assert proxy.process.lines("retained while") == told


def content(proxy):
    with open(proxy.snapshot) as file:
        return file.read()
