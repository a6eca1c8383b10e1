"""HAProxy is reloaded (SIGUSR2), with ZooKeeper up and down.

RELOADS says how many times in a row; make soak does many.
"""

import os
import signal

import pytest

import wait
from chain import Site
from zookeeper import register


RELOADS = int(os.environ.get("RELOADS") or 7)


@pytest.mark.parametrize("ensemble", ["up", "down"])
def test_reloads_fail_no_request_and_leave_one_worker(
        ensemble, sandbox, path):
    """HAProxy 3.0 applies an address that is set at the start only after it
    begins to serve. Slots were up at 127.0.0.1:1, and then down until the next
    check."""
    site = Site(sandbox, path, server="check inter 10s rise 2 fall 2")
    first = site.proxy.reload()
    wait.until(lambda: site.proxy.workers() == [first], 10, "one is left")
    before = site.descriptors()
    with sandbox.load(site.proxy, f"{RELOADS} reloads, {ensemble}") as load:
        if ensemble == "down":
            site.server.stop()
        for _ in range(RELOADS):
            last = site.proxy.reload()
            assert site.proxy.get()[0] == 200
        wait.until(lambda: site.proxy.workers() == [last], 10,
                   "one worker is left")
        site.proxy.serves(site.services)
    load.assert_none_failed()
    if ensemble == "up":
        wait.until(lambda: site.server.connections() == 2, 10,
                   "one agent's session is left, and kazoo's")
    wait.until(lambda: site.descriptors() <= before, 5,
               f"no more than {before} descriptors are open in the master")


def test_reloads_in_quick_succession_leave_one_worker(sandbox, path):
    site = Site(sandbox, path)
    with sandbox.load(site.proxy, "reloads before the last has settled"
                      ) as load:
        for _ in range(5):
            site.proxy.reload()
        wait.until(lambda: len(site.proxy.workers()) == 1, 10,
                   "one worker is left")
        three = sandbox.service("three")
        register(site.client, path, three.payload("three"))
        site.proxy.serves([*site.services, three])
    load.assert_none_failed()


def test_a_long_lived_connection_keeps_only_its_own_worker(sandbox, path):
    site = Site(sandbox, path)
    [old] = site.proxy.workers()
    with sandbox.load(site.proxy, "reload with a connection open") as load:
        with site.proxy.hold("/slow") as more:
            first = site.proxy.reload()
            last = site.proxy.reload()
            wait.until(lambda: first not in site.proxy.workers(), 10,
                       "the worker without connections has left")
            assert sorted(site.proxy.workers()) == sorted([old, last])
            assert more() and more()
            # The connections of kazoo and of one agent: the draining worker
            # has none.
            wait.until(lambda: site.server.connections() == 2, 10,
                       "only the new worker has a session")
        wait.until(lambda: site.proxy.workers() == [last], 10,
                   "the old worker has left with its connection")
    load.assert_none_failed()


@pytest.mark.parametrize("ensemble", ["up", "down"])
def test_control_without_the_snapshot_a_reload_fails_requests(
        ensemble, sandbox, path):
    site = Site(sandbox, path, snapshot=False)
    with sandbox.load(site.proxy, f"control: no snapshot, {ensemble}"
                      ) as load:
        if ensemble == "down":
            site.server.stop()
        for _ in range(10):
            if load.failed == 0:
                site.proxy.reload()
        wait.until(lambda: load.failed > 0, 5, "requests fail")
    load.assert_some_failed()


def test_a_change_made_during_a_reload_arrives(sandbox, path):
    site = Site(sandbox, path)
    three = sandbox.service("three")
    with sandbox.load(site.proxy, "change during a reload") as load:
        node = register(site.client, path, three.payload("three"))
        site.proxy.reload()
        site.proxy.serves([*site.services, three])
        site.client.delete(node)
        site.proxy.reload()
        site.proxy.serves(site.services)
    load.assert_none_failed()


def test_a_change_made_while_a_worker_drains_does_not_reach_its_snapshot(
        sandbox, path):
    """A stopping worker writes no snapshot, so the next start reads what the
    serving worker knew last."""
    site = Site(sandbox, path)
    three = sandbox.service("three")
    with site.proxy.hold("/slow"):
        site.proxy.reload()
        register(site.client, path, three.payload("three"))
        site.proxy.serves([*site.services, three])
        site.proxy.remembers([*site.services, three])
    site.server.stop()
    site.proxy.reload()
    site.proxy.serves([*site.services, three])


def test_an_agent_whose_worker_ended_hard_leaves_nothing_behind(
        sandbox, path):
    site = Site(sandbox, path)
    with site.proxy.hold("/slow"):
        site.proxy.stop()
    assert site.proxy.process.group() == []
    wait.until(lambda: site.server.connections() == 1, 15,
               "only kazoo is connected")


def test_a_soft_stop_ends_with_the_last_connection(sandbox, path):
    site = Site(sandbox, path)
    with site.proxy.hold("/slow") as more:
        site.proxy.process.send(signal.SIGUSR1)
        wait.until(lambda: site.server.connections() == 1, 10,
                   "the agent has ended its session")
        assert more()
        assert site.proxy.process.alive()
    site.proxy.process.ended(10)
    assert site.proxy.process.group() == []
