"""An ensemble of three, also with observers, loses servers and gets them back,
and is upgraded server by server, without any effect.

HOLD_SECONDS says how long the majority is away.
"""

import os

import pytest

import jars
import wait
from chain import Chain
from nerve import SESSION_TIMEOUT
from zookeeper import JARS, TICK, births, register, registrations

# On a busy machine an election takes a good part of a session timeout.
KEPT = 3 * SESSION_TIMEOUT
LONG = 30

HOLD = float(os.environ.get("HOLD_SECONDS") or KEPT + 1)


@pytest.fixture
def chain(sandbox, path):
    """Two services with a nerve each and HAProxy, over three ZooKeepers."""
    return Chain(sandbox, path, KEPT, sandbox.ensemble())


def lose(chain, members):
    for member in members:
        member.stop()
    return members


def assert_exact(chain, before, seen):
    """Asserts that every registration is the same, exists once, and that no
    watch has fired."""
    chain.server.start()
    wait.until(lambda: chain.client.connected, 30, "kazoo is connected")
    wait.always(lambda: births(chain.client, chain.path) == before and
                chain.lives_on(), KEPT + 2 * TICK,
                "every znode is the one it was")
    assert registrations(chain.client, chain.path) == chain.payloads()
    assert seen == []


def assert_changes_arrive(chain, sandbox):
    wait.until(lambda: chain.client.connected, 30, "kazoo is connected")
    three = sandbox.service("three")
    node = register(chain.client, chain.path, three.payload("three"))
    chain.proxy.serves([*chain.services, three], seconds=20)
    chain.client.delete(node)
    chain.proxy.serves(chain.services)
    chain.state = chain.look()


def test_the_loss_of_the_leader_changes_nothing(chain, sandbox):
    before = births(chain.client, chain.path)
    with sandbox.load(chain.proxy, "the leader lost") as load:
        [lost] = lose(chain, [chain.server.leader()])
        assert chain.server.leader() is not lost
        assert_changes_arrive(chain, sandbox)
        # Only now, because HAProxy may see these changes before kazoo does.
        assert_exact(chain, before, chain.watch())
    load.assert_none_failed()


def test_a_follower_that_goes_and_comes_back_changes_nothing(chain, sandbox):
    before, seen = births(chain.client, chain.path), chain.watch()
    with sandbox.load(chain.proxy, "a follower lost and back") as load:
        lose(chain, chain.server.followers()[:1])
        wait.always(chain.lives_on, 1, "nothing changes")
        assert_exact(chain, before, seen)
        assert_changes_arrive(chain, sandbox)
    load.assert_none_failed()


def test_the_loss_of_the_majority_changes_nothing(chain, sandbox):
    before, seen = births(chain.client, chain.path), chain.watch()
    with sandbox.load(chain.proxy, f"two lost for {HOLD:g} s") as load:
        lose(chain, chain.server.followers())
        wait.always(chain.lives_on, HOLD, "nothing changes")
        assert_exact(chain, before, seen)
        assert_changes_arrive(chain, sandbox)
    load.assert_none_failed()


def test_clients_of_observers_miss_nothing(sandbox, path):
    """Most clients of a large fleet are connected to observers, which close
    every connection while there is no leader."""
    chain = Chain(sandbox, path, KEPT, sandbox.ensemble(observers=2))
    before = births(chain.client, chain.path)
    with sandbox.load(chain.proxy, "a leader and an observer lost") as load:
        for lost in (chain.server.leader(), chain.server.observers[0]):
            lose(chain, [lost])
            assert_changes_arrive(chain, sandbox)
        assert_exact(chain, before, chain.watch())
    load.assert_none_failed()


def test_an_upgrade_of_the_ensemble_and_back_changes_nothing(sandbox, path):
    """Six starts of a server one after the other: a client that meets one that
    only starts may wait for most of its session timeout, so that is long."""
    directories = (jars.other(), JARS)
    chain = Chain(sandbox, path, LONG, sandbox.ensemble(
        more=[f"maxSessionTimeout={LONG * 1000}"]))
    before, releases = births(chain.client, chain.path), set()
    with sandbox.load(chain.proxy, "another ZooKeeper and back") as load:
        for directory in directories:
            # The leader last: it leads servers of both releases before.
            for member in [*chain.server.followers(), chain.server.leader()]:
                member.stop()
                member.use(directory)
                chain.server.start()
                releases.add(member.release())
                assert_changes_arrive(chain, sandbox)
        assert_exact(chain, before, chain.watch())
    assert len(releases) == 2
    load.assert_none_failed()
