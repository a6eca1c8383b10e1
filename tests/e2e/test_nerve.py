"""nerve stops, dies or freezes, and others change its znodes."""

import os
import signal
import subprocess
import time

import pytest

import program
import wait
from haproxy import web
from nerve import SESSION_TIMEOUT, check, watched
from zookeeper import TICK, births, children, register, registrations

# Retries that an operator adds if a request may be sent twice.
PATIENT = ["retry-on all-retryable-errors"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT],
                         ids=lambda number: number.name)
def test_a_signal_deregisters_before_nerve_exits_with_status_0(
        number, sandbox, healthy, witness, path):
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    assert nerve.process.stop(number, seconds=2) == 0
    assert children(witness, path) == []


@pytest.mark.parametrize("fault", ["stop", "freeze"])
def test_a_signal_ends_nerve_within_2_s_with_zookeeper_out_of_reach(
        fault, sandbox, path):
    server = sandbox.zookeeper()
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, server, path)})
    client = server.client()
    wait.until(lambda: children(client, path), 10, "it is registered")
    getattr(server, fault)()
    assert nerve.process.stop(seconds=2) == 0


def test_a_killed_nerve_stays_registered_for_a_session_timeout_at_most(
        sandbox, healthy, witness, path):
    """The machine dies: nerve and the service at once. Until the session ends,
    HAProxy's checks and redispatch save the requests."""
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path, lines=PATIENT)])
    register(witness, path, one.payload("one"))
    nerve = sandbox.nerve("two", {"web": watched(two, healthy, path)})
    proxy.serves([one, two])
    with sandbox.load(proxy) as load:
        wait.until(lambda: load.answers["two"] > 20, 10, "two gets traffic")
        nerve.process.kill()
        two.process.kill()
        taken = wait.elapsed(lambda: wait.until(
            lambda: registrations(witness, path) == [one.payload("one")],
            SESSION_TIMEOUT + 10, "two is gone"))
        proxy.serves([one])
    # One more tick for the session's last ping, and a second for a slow
    # machine.
    assert taken <= SESSION_TIMEOUT + 2 * TICK + 1 * wait.FACTOR
    load.assert_none_failed()


def test_control_without_checks_a_dead_machine_fails_requests(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path, server="",
                                 lines=["retries 0"])])
    register(witness, path, one.payload("one"))
    nerve = sandbox.nerve("two", {"web": watched(two, healthy, path)})
    proxy.serves([one, two])
    with sandbox.load(proxy, "control: no checks, no redispatch") as load:
        wait.until(lambda: load.answers["two"] > 20, 10, "two gets traffic")
        nerve.process.kill()
        two.process.kill()
        proxy.serves([one])
    load.assert_some_failed()


def test_a_nerve_that_slept_beyond_its_session_registers_once(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    before = births(witness, path)
    nerve.process.freeze()
    wait.until(lambda: not children(witness, path), SESSION_TIMEOUT + 10,
               "its session has ended")
    nerve.process.thaw()
    wait.until(lambda: children(witness, path), 10, "it is back")
    wait.always(lambda: registrations(witness, path) == [one.payload("one")],
                SESSION_TIMEOUT + TICK, "it is registered once")
    assert births(witness, path) != before


def test_a_nerve_that_slept_a_moment_keeps_its_registration(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    before = births(witness, path)
    nerve.process.freeze()
    wait.always(lambda: births(witness, path) == before, SESSION_TIMEOUT / 3,
                "its znode stays")
    nerve.process.thaw()
    wait.always(lambda: births(witness, path) == before, SESSION_TIMEOUT + 1,
                "its znode stays")


def test_a_registration_that_somebody_deletes_is_back_within_a_second(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    sandbox.nerve("one", {"web": watched(one, healthy, path)})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    for _ in range(3):
        delete_all(witness, path)
        wait.until(lambda: children(witness, path), 1, "it is back")
    assert registrations(witness, path) == [one.payload("one")]


def test_a_registration_deleted_again_and_again_is_told_as_a_shared_identity(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)})
    for _ in range(4):
        wait.until(lambda: children(witness, path), 10, "it is registered")
        start = time.monotonic()
        delete_all(witness, path)
    nerve.process.says("another nerve may have the same instance_id")
    wait.until(lambda: children(witness, path), 10, "it is back")
    assert time.monotonic() - start > 1.5


def delete_all(client, path):
    for name in children(client, path):
        client.delete(f"{path}/{name}")


def test_a_nerve_started_anew_with_another_weight_is_registered_once(
        sandbox, healthy, witness, path):
    """A killed nerve leaves its znode for a while. The new nerve must not have
    two."""
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    nerve.process.kill()
    sandbox.write("nerve-one.json", changed(nerve.file, 9))
    nerve.start()
    wait.until(lambda: registrations(witness, path) ==
               [one.payload("one", weight=9)], 2 * SESSION_TIMEOUT + 10,
               "one registration, with the new weight")
    wait.always(lambda: len(children(witness, path)) == 1,
                SESSION_TIMEOUT + TICK, "it is registered once")


def changed(file, weight):
    with open(file) as text:
        return text.read().replace('"check_interval"',
                                   f'"weight": {weight}, "check_interval"')


def test_nerve_waits_for_an_ensemble_that_is_down_at_its_start(
        sandbox, path):
    server = sandbox.zookeeper()
    server.stop()
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, server, path)})
    wait.until(lambda: one.checks() > 5, 10, "the checks run")
    assert nerve.process.alive()
    server.start()
    client = server.client()
    wait.until(lambda: registrations(client, path) == [one.payload("one")],
               10, "it is registered")


# Shorter than the time after which the client gives up its connection (two
# thirds of a session timeout), between that and a session timeout, and longer.
ASLEEP = [SESSION_TIMEOUT / 3, SESSION_TIMEOUT * 0.85, SESSION_TIMEOUT + 1.5]


def sleep_while(server, one, health, seconds):
    """Changes the health while ZooKeeper receives requests and does not
    answer."""
    server.freeze()
    one.set_health(health)
    checks = one.checks()
    wait.until(lambda: one.checks() > checks + 3, 10, "nerve has seen it")
    wait.always(lambda: server.process.alive(), seconds, "it sleeps")
    server.thaw()


@pytest.mark.parametrize("seconds", ASLEEP)
def test_a_registration_whose_answer_is_lost_is_there_once(
        seconds, sandbox, path):
    server = sandbox.zookeeper()
    one = sandbox.service("one", health="down")
    nerve = sandbox.nerve("one", {"web": watched(one, server, path)})
    nerve.process.says("connected")
    sleep_while(server, one, "up", seconds)
    client = server.client()
    wait.until(lambda: registrations(client, path) == [one.payload("one")],
               20, "it is registered")
    wait.until(lambda: len(children(client, path)) == 1, 10, "once")
    wait.always(lambda: len(children(client, path)) == 1,
                SESSION_TIMEOUT + 2 * TICK, "it stays so")
    one.set_health("down")
    wait.until(lambda: not children(client, path), 10, "it can be undone")


@pytest.mark.parametrize("seconds", ASLEEP)
def test_a_deregistration_whose_answer_is_lost_is_done(
        seconds, sandbox, path):
    server = sandbox.zookeeper()
    one = sandbox.service("one")
    client = server.client()
    sandbox.nerve("one", {"web": watched(one, server, path)})
    wait.until(lambda: children(client, path), 10, "it is registered")
    sleep_while(server, one, "down", seconds)
    client = server.client()
    wait.until(lambda: not children(client, path), 20, "it is gone")
    wait.always(lambda: not children(client, path),
                SESSION_TIMEOUT + 2 * TICK, "it stays so")


@pytest.mark.parametrize("fault", ["stop", "freeze"])
def test_an_ensemble_out_of_reach_delays_no_other(
        fault, sandbox, healthy, witness, path):
    broken = sandbox.zookeeper()
    getattr(broken, fault)()
    one, two = sandbox.service("one"), sandbox.service("two")
    sandbox.nerve("one", {"one": watched(one, broken, path),
                          "two": watched(two, healthy, path)})
    wait.until(lambda: registrations(witness, path) == [two.payload("one")],
               5, "it is registered where ZooKeeper answers")
    two.set_health("down")
    wait.until(lambda: not children(witness, path), 3, "it is gone")


def test_two_services_of_one_ensemble_share_a_session(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    sandbox.nerve("one", {
        "one": watched(one, healthy, f"{path}/one"),
        "two": watched(two, healthy, f"{path}/two")})
    owners = [wait.until(lambda at=name: owner(witness, f"{path}/{at}"), 10,
                         f"{name} is registered") for name in ("one", "two")]
    assert owners[0] == owners[1]


def owner(client, path):
    for name in children(client, path):
        return client.exists(f"{path}/{name}").ephemeralOwner
    return None


def test_the_configuration_is_checked_without_running(sandbox, healthy, path):
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)})
    assert check(nerve.file)[0] == 0
    wrong = sandbox.write("wrong.json", changed(nerve.file, -1))
    status, said = check(wrong)
    assert status == 1
    assert "services.web.weight" in said and "-1" in said


@pytest.mark.parametrize("text, place", [
    ("", "line 1|empty"), ('{"instance_id": 7, "services": {}}', "instance_id"),
    ('{"instance_id": "a", "services": {"w": {}}}', r"services\.w\.host"),
    ('{"instance_id": "a",\n "services": }', "line 2")])
def test_a_wrong_configuration_is_refused_with_its_place(
        text, place, sandbox):
    file = sandbox.write("nerve.json", text)
    status, said = check(file)
    assert status == 1
    process = sandbox.run("nerve", [program.NERVE, "-c", file])
    assert process.ended(5) == 1
    assert process.lines(place) and said.strip()



def test_nerve_never_blocks_on_a_log_that_nobody_reads(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)},
                          start=False)
    nerve.start(errors=full_pipe(sandbox))
    wait.until(lambda: children(witness, path), 10, "it is registered")
    for _ in range(3):
        one.set_health("down")
        wait.until(lambda: not children(witness, path), 5, "it is gone")
        one.set_health("up")
        wait.until(lambda: children(witness, path), 5, "it is back")
    assert nerve.process.stop(seconds=2) == 0
    assert children(witness, path) == []


def full_pipe(sandbox):
    """Returns the writing end of a pipe that is full and stays full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    sandbox.at_end(lambda: (os.close(reader), os.close(writer)))
    return writer


def test_proxy_variables_do_not_divert_the_checks(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)},
                          start=False)
    nerve.start(env={**os.environ, "http_proxy": "http://127.0.0.1:1/",
                     "ALL_PROXY": "http://127.0.0.1:1/"})
    wait.until(lambda: children(witness, path), 10, "it is registered")


def test_a_session_timeout_that_the_server_shortens_is_told(
        sandbox, healthy, path):
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)},
                          session_timeout=60)
    line = nerve.process.says("timeout.*10")
    assert "60" in line


def test_nerve_shows_its_version():
    with open(f"{program.ROOT}/VERSION") as file:
        version = file.read().strip()
    said = subprocess.run([program.NERVE, "--version"], text=True, check=True,
                          capture_output=True).stdout
    assert version in said


def test_a_chroot_that_is_not_there_is_made_and_made_again(
        sandbox, healthy, witness, path):
    """nerve waited for it for ever, while the log said "no node" and `nerve
    ctl status` said that it was being changed."""
    one = sandbox.service("one")
    top = f"{path}/own/tree"
    sandbox.nerve("one", {"web": watched(
        one, healthy, "/web/here", zk_hosts=[f"{healthy.hosts}{top}"])})
    wait.until(lambda: children(witness, f"{top}/web/here"), 10,
               "it is registered below the chroot")
    [name] = children(witness, f"{top}/web/here")
    # The path is deleted with all its parents at once; nerve makes it again
    # within that time.
    delete = witness.transaction()
    for below in (f"/tree/web/here/{name}", "/tree/web/here", "/tree/web",
                  "/tree", ""):
        delete.delete(f"{path}/own{below}")
    assert delete.commit() == [True] * 5
    wait.until(lambda: children(witness, f"{top}/web/here"), 10,
               "it is registered again")
