"""ZooKeeper goes away and comes back: with its data, without it, or frozen.

HOLD_SECONDS says how long the long faults last; by default a little more than
three session timeouts.
"""

import os
import signal

import pytest

import process
import wait
from chain import Chain
from haproxy import Backend, web
from nerve import SESSION_TIMEOUT
from zookeeper import TICK, births, register, registrations

# A starting server leaves early connections hanging for two thirds of a
# session timeout. The remaining third must be enough on a busy machine.
KEPT = 2 * SESSION_TIMEOUT

HOLD = float(os.environ.get("HOLD_SECONDS") or 3 * KEPT + 1)


@pytest.mark.parametrize("hold", [1, HOLD], ids=["a-moment", "long"])
def test_zookeeper_away_with_its_data_kept_changes_nothing(
        hold, sandbox, path):
    chain = Chain(sandbox, path, KEPT)
    before, seen = births(chain.client, path), chain.watch()
    three = sandbox.service("three")
    with sandbox.load(chain.proxy, f"ZooKeeper away {hold:g} s") as load:
        chain.server.stop()
        wait.always(chain.lives_on, hold, "nothing changes")
        chain.server.start()
        chain.reconnected()
        wait.always(lambda: births(chain.client, path) == before and
                    chain.lives_on(), KEPT + 2 * TICK,
                    "every znode is the one it was")
        assert seen == []
        register(chain.client, path, three.payload("three"))
        chain.proxy.serves([*chain.services, three])
        wait.until(lambda: load.answers["three"] > 9, 10, "three answers")
    load.assert_none_failed()


def test_nerve_reports_what_changed_while_zookeeper_was_away(sandbox, path):
    chain = Chain(sandbox, path)
    chain.server.stop()
    chain.services[1].set_health("down")
    checks = chain.services[1].checks()
    wait.until(lambda: chain.services[1].checks() > checks + 5, 10,
               "it is checked meanwhile")
    chain.server.start()
    chain.proxy.serves(chain.services[:1])
    assert registrations(chain.client, path) == chain.payloads()[:1]


def test_zookeeper_wiped_while_away_has_all_registered_again_once(
        sandbox, path):
    chain = Chain(sandbox, path)
    with sandbox.load(chain.proxy, "ZooKeeper wiped") as load:
        chain.server.close()
        chain.server.stop()
        chain.server.wipe()
        wait.always(chain.lives_on, SESSION_TIMEOUT + 1, "nothing changes")
        chain.server.start()
        client = chain.server.client()
        wait.until(lambda: registrations(client, path) == chain.payloads(),
                   30, "all are registered again")
        wait.always(lambda: registrations(client, path) == chain.payloads(),
                    SESSION_TIMEOUT + 2 * TICK, "they are registered once")
        chain.proxy.serves(chain.services)
    load.assert_none_failed()


def test_control_without_nerve_a_wiped_zookeeper_fails_requests(
        sandbox, path):
    chain = Chain(sandbox, path, use_previous_backends=False)
    with sandbox.load(chain.proxy, "control: wiped, no nerve") as load:
        for nerve in chain.nerves:
            nerve.process.kill()
        chain.server.close()
        chain.server.stop()
        chain.server.wipe()
        chain.server.start()
        chain.server.client().ensure_path(path)
        wait.until(lambda: load.failed > 20, 30, "requests fail")
    load.assert_some_failed()


def test_zookeeper_asleep_beyond_all_sessions_has_all_registered_once(
        sandbox, path):
    chain = Chain(sandbox, path)
    with sandbox.load(chain.proxy, "ZooKeeper asleep") as load:
        chain.server.freeze()
        wait.always(chain.lives_on, SESSION_TIMEOUT + 2, "nothing changes")
        chain.server.thaw()
        client = chain.server.client()
        wait.until(lambda: registrations(client, path) == chain.payloads(),
                   30, "all are registered")
        chain.reconnected()
        wait.until(lambda: registrations(client, path) == chain.payloads(),
                   30, "all are registered")
        wait.always(lambda: registrations(client, path) == chain.payloads(),
                    SESSION_TIMEOUT + 2 * TICK, "they are registered once")
        chain.proxy.serves(chain.services)
    load.assert_none_failed()


def test_zookeeper_flapping_faster_than_a_session_timeout_changes_nothing(
        sandbox, path):
    chain = Chain(sandbox, path, KEPT)
    before = births(chain.client, path)
    with sandbox.load(chain.proxy, "ZooKeeper flapping") as load:
        for _ in range(4):
            chain.server.stop()
            chain.server.start()
        chain.reconnected()
        wait.always(lambda: births(chain.client, path) == before and
                    chain.lives_on(), KEPT + 2 * TICK,
                    "every znode is the one it was")
    load.assert_none_failed()


def test_an_ensemble_out_of_reach_delays_no_other_backend(
        sandbox, healthy, witness, path):
    broken = sandbox.zookeeper()
    one, two = sandbox.service("one"), sandbox.service("two")
    client = broken.client()
    register(client, path, one.payload("one"))
    proxy = sandbox.haproxy([
        Backend(name="broken", hosts=[broken.hosts], path=path),
        Backend(name="healthy", hosts=[healthy.hosts], path=path)])
    proxy.serves([one], "broken")
    broken.freeze()
    register(witness, path, two.payload("two"))
    proxy.serves([two], "healthy", seconds=3)
    wait.always(lambda: proxy.serving("broken") == [
        f"{one.host}:{one.port}"], SESSION_TIMEOUT + 1, "it stays")


def test_a_haproxy_that_slept_beyond_its_session_reads_everything_again(
        sandbox, healthy, witness, path):
    one, two, three = map(sandbox.service, ("one", "two", "three"))
    node = register(witness, path, one.payload("one"))
    register(witness, path, two.payload("two"))
    proxy = sandbox.haproxy([web(healthy, path)])
    proxy.serves([one, two])
    connections = healthy.connections()
    [worker] = proxy.workers()
    process.freeze(worker)
    wait.until(lambda: healthy.connections() < connections,
               SESSION_TIMEOUT + 10, "its session has ended")
    witness.delete(node)
    register(witness, path, three.payload("three"))
    os.kill(worker, signal.SIGCONT)
    proxy.serves([two, three])
    proxy.process.says("session .* expired")


def test_a_session_timeout_that_the_server_shortens_is_told(
        sandbox, healthy, path):
    proxy = sandbox.haproxy([web(healthy, path)],
                            synapse={"session_timeout": 60})
    proxy.process.says("connected, .*timeout 10 s")
