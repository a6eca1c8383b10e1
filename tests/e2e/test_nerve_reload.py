"""SIGHUP: nerve reads its configuration again and touches only what has
changed."""

import json
import os
import signal

import pytest

import wait
from nerve import SESSION_TIMEOUT, check, http_check, watched
from watching import Watching, state
from wire import Wire
from zookeeper import births, children, registrations


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


@pytest.fixture
def two(sandbox):
    return sandbox.service("two")


@pytest.fixture
def web(one, healthy, path):
    """The entry of a service that is registered below `path`."""
    return watched(one, healthy, path)


@pytest.fixture
def nerve(sandbox, web, witness, path):
    """A nerve that has it registered."""
    started = sandbox.nerve("one", {"web": web})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    return started


def test_an_unchanged_service_is_not_touched(
        nerve, web, two, healthy, witness, path):
    other = f"{path}-other"
    before = state(witness, path)
    watching = Watching(witness, path)
    nerve.reload()
    nerve.reload({"web": web, "other": watched(two, healthy, other)})
    wait.until(lambda: children(witness, other), 10, "other is added")
    nerve.reload({"web": web})
    wait.until(lambda: not children(witness, other), 10, "other is removed")
    assert state(witness, path) == before
    assert watching.events == []
    assert not nerve.process.lines("web: (settings|added|no longer|to be)")


def opened(pipe):
    """Opens the file for writing. Returns None while nobody reads it."""
    try:
        return open(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "w")
    except OSError:
        return None


def test_a_reload_that_comes_at_once_is_done_after_the_start(
        sandbox, web, witness, path):
    """A SIGHUP ended nerve while it was reading its configuration for the
    first time. Here a pipe in place of the file makes this moment last."""
    nerve = sandbox.nerve("one", {"web": web}, start=False)
    file, kept = nerve.file, f"{nerve.file}.kept"
    os.rename(file, kept)
    os.mkfifo(file)
    nerve.start()
    with wait.until(lambda: opened(file), 10, "nerve reads") as pipe:
        nerve.process.send(signal.SIGHUP)
        with open(kept) as text:
            pipe.write(text.read())
        os.rename(kept, file)
    nerve.process.says("reloaded as")
    wait.until(lambda: children(witness, path), 10, "it is registered")


def test_its_checks_go_on_where_they_were(nerve, web, one, witness, path):
    """If the checks started again, their first result would decide."""
    slow = dict(web, checks=[http_check(fall=3)], check_interval=0.5)
    nerve.reload({"web": slow})
    wait.until(lambda: len(nerve.process.lines("unknown -> up")) == 2, 10,
               "the new checks have a result")
    one.set_health("down")
    asked = one.checks()
    wait.until(lambda: one.checks() > asked, 5, "a check has failed")
    nerve.reload()
    wait.until(lambda: not children(witness, path), 5, "it is removed")
    nerve.process.says("up -> down after 3 failures")
    assert not nerve.process.lines("unknown -> down")


def test_a_renamed_service_stays_registered(nerve, web, witness, path):
    before = state(witness, path)
    nerve.reload({"site": web})
    assert state(witness, path) == before
    nerve.process.says("site: settings changed")


def test_changed_checks_begin_anew_and_leave_the_registration(
        nerve, web, one, witness, path):
    before = state(witness, path)
    nerve.reload({"web": dict(web, checks=[http_check(fall=1)],
                              check_interval=0.2)})
    wait.until(lambda: len(nerve.process.lines("web: instance .* -> up")) == 2,
               10, "the new checks have a result")
    assert state(witness, path) == before
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 5, "it is gone")
    nerve.process.says("up -> down after 1 failure ")


def test_changed_data_is_one_write(nerve, web, one, witness, path):
    name, = children(witness, path)
    before = witness.exists(f"{path}/{name}")
    watching = Watching(witness, path)
    nerve.reload({"web": dict(web, weight=7)})
    wait.until(lambda: b'"weight":7' in registrations(witness, path)[0], 10,
               "its weight is 7")
    after = witness.exists(f"{path}/{name}")
    assert after.czxid == before.czxid and after.version == before.version + 1
    wait.until(lambda: watching.events, 10, "the client hears of it")
    nerve.reload()
    assert witness.exists(f"{path}/{name}") == after
    assert watching.events == [("CHANGED", f"{path}/{name}")]


def changes():
    """Changes that make another registration of a service."""
    return {
        "host": lambda web, path, two: dict(
            web, host="localhost", checks=[http_check(host=web["host"])]),
        "port": lambda web, path, two: dict(web, port=two.port),
        "zk_path": lambda web, path, two: dict(web, zk_path=f"{path}-new"),
        "zk_hosts": lambda web, path, two: dict(
            web, zk_hosts=web["zk_hosts"] + ["127.0.0.1:1"]),
        "name": lambda web, path, two: dict(web, use_path_encoding=True),
    }


@pytest.mark.parametrize("change", changes())
def test_another_registration_is_there_before_the_old_one_goes(
        change, nerve, web, two, witness, path):
    new = changes()[change](web, path, two)
    before = births(witness, path)
    nerve.reload({"web": new})
    wait.until(lambda: not set(births(witness, path).values())
               & set(before.values()), 10, "the old one is gone")
    birth, = births(witness, new["zk_path"]).values()
    assert birth < last_change(witness, path)


def test_another_instance_id_is_there_before_the_old_one_goes(
        nerve, web, witness, path):
    nerve.reload({"web": web}, instance_id="other")
    wait.until(lambda: [name[:6] for name in children(witness, path)]
               == ["other_"], 10, "only the new one is registered")
    birth, = births(witness, path).values()
    assert birth < last_change(witness, path)


def last_change(client, path):
    """Returns the transaction in which a child of `path` last came or went."""
    return client.exists(path).pzxid


def test_the_old_one_stays_while_the_new_one_is_down(
        nerve, web, sandbox, witness, path):
    two = sandbox.service("two")
    two.set_health("down")
    old = births(witness, path)
    nerve.reload({"web": dict(web, port=two.port)})
    nerve.process.says("instance .* unknown -> down")
    wait.always(lambda: births(witness, path) == old, 1, "the old one stays")
    two.set_health("up")
    wait.until(lambda: len(births(witness, path)) == 1
               and births(witness, path) != old, 10, "the new one is there")


def test_the_old_one_stays_though_its_session_ends(
        web, one, two, sandbox, healthy, witness, path):
    """Between the end of the session and its registration in the next session,
    the old one was given up, so nothing was registered."""
    far = Wire(sandbox, healthy, delay=0.1)
    web = dict(web, zk_hosts=far.addresses)
    two.set_health("down")
    nerve = sandbox.nerve("one", {"web": web})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    nerve.reload({"web": dict(web, port=two.port)})
    nerve.process.says("instance .* unknown -> down")
    nerve.process.freeze()
    wait.until(lambda: not children(witness, path), SESSION_TIMEOUT + 10,
               "its session has ended")
    nerve.process.thaw()
    wait.until(lambda: registrations(witness, path) == [one.payload("one")],
               10, "the old one is back")
    two.set_health("up")
    wait.until(lambda: registrations(witness, path) == [two.payload("one")],
               10, "the new one takes its place")


def test_the_old_one_goes_when_it_is_down_itself(
        nerve, web, one, sandbox, witness, path):
    two = sandbox.service("two")
    two.set_health("down")
    nerve.reload({"web": dict(web, port=two.port)})
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "none is registered")


def test_a_change_taken_back_leaves_the_old_one_as_it_was(
        nerve, web, sandbox, witness, path):
    two = sandbox.service("two")
    two.set_health("down")
    before = state(witness, path)
    nerve.reload({"web": dict(web, port=two.port)})
    nerve.process.says("instance .* unknown -> down")
    nerve.reload({"web": web})
    two.set_health("up")
    wait.always(lambda: state(witness, path) == before, 1, "it stays")


def test_a_removed_service_is_deregistered_and_may_come_back(
        nerve, web, witness, path):
    nerve.reload({})
    wait.until(lambda: not children(witness, path), 10, "it is gone")
    nerve.reload({"web": web})
    wait.until(lambda: children(witness, path), 10, "it is back")


@pytest.mark.parametrize("text, place", [
    ("", "line 1"), ("instance_id: one", "line 1.*YAML"),
    ('{"instance_id": "one", "services": {"web": {}}}',
     r"services\.web\.host: missing"),
    ('{"services": 7}', "services: ")])
def test_a_wrong_file_changes_nothing_and_says_why(
        text, place, nerve, witness, path):
    before = state(witness, path)
    nerve.write(text)
    nerve.reload(says=f"error not reloaded, nothing is changed: "
                      f".*nerve-one.json: {place}")
    wait.always(lambda: state(witness, path) == before, SESSION_TIMEOUT / 3,
                "it stays registered")


def test_a_wrong_file_is_told_with_all_its_errors_and_unknown_keys(nerve):
    """A file with "zk_pth" and a port of 0 was refused because of one of them.
    The other was reported at the next attempt, and zk_pth itself never."""
    text = ('{"instance_id": "one", "services": {"web": {"host": "h", '
            '"port": 0, "zk_hosts": ["a:1"], "zk_pth": "/a"}}}')
    nerve.write(text)
    nerve.reload(says=r"not reloaded.*: services\.web\.zk_path: missing")
    nerve.process.says(r"error services\.web\.port: 0 is not a port")
    nerve.process.says(r"warning services\.web\.zk_pth: .* did you mean "
                    '"zk_path"')
    status, printed = check(nerve.file)
    assert status == 1
    assert "error services.web.port: 0 is not a port" in printed
    assert 'zk_pth: unknown key, ignored; did you mean "zk_path"?' in printed
    assert "nerve-one.json: services.web.zk_path: missing" in printed


def test_a_missing_file_changes_nothing_and_says_why(nerve, witness, path):
    before = state(witness, path)
    os.remove(nerve.file)
    nerve.reload(says="not reloaded.*No such file")
    assert state(witness, path) == before


def test_a_file_of_the_directory_is_a_service_that_comes_and_goes(
        nerve, web, two, healthy, witness, path, sandbox):
    directory = os.path.join(sandbox.directory, "conf.d")
    os.mkdir(directory)
    before = state(witness, path)
    file = os.path.join(directory, "other.json")
    with open(file, "w") as out:
        json.dump(watched(two, healthy, f"{path}-other"), out)
    nerve.reload({"web": web}, service_conf_dir=directory)
    wait.until(lambda: children(witness, f"{path}-other"), 10, "it is added")
    with open(file, "w") as out:
        out.write("{}")
    nerve.reload(says="not reloaded.*other.json: services.other.host: missing")
    assert children(witness, f"{path}-other")
    os.remove(file)
    nerve.reload()
    wait.until(lambda: not children(witness, f"{path}-other"), 10,
               "it is removed")
    assert state(witness, path) == before


def test_the_heartbeat_file_is_made_and_moves_with_the_configuration(
        nerve, web, sandbox):
    first, second = sandbox.path("first"), sandbox.path("second")
    nerve.reload({"web": web}, heartbeat_path=first)
    wait.until(lambda: os.path.exists(first), 10, "there is a file")
    nerve.reload({"web": web}, heartbeat_path=second)
    wait.until(lambda: os.path.exists(second), 10, "there is another")


def test_changes_made_with_zookeeper_away_are_carried_out_on_return(
        sandbox, one, two, path):
    server = sandbox.zookeeper()
    web = watched(one, server, path)
    nerve = sandbox.nerve("one", {"web": web})
    client = server.client()
    wait.until(lambda: children(client, path), 10, "it is registered")
    server.stop()
    nerve.process.says("connection lost")
    nerve.reload({"web": dict(web, weight=3),
                  "more": watched(two, server, f"{path}-more")})
    server.start()
    wait.until(lambda: children(client, f"{path}-more"), 20, "more is there")
    wait.until(lambda: b'"weight":3' in registrations(client, path)[0], 20,
               "its weight is 3")
    assert len(children(client, path)) == 1


def test_many_reloads_at_once_end_with_the_last(nerve, web, witness, path):
    for weight in range(20):
        nerve.configure({"web": dict(web, weight=weight)})
        nerve.process.send(signal.SIGHUP)
    wait.until(lambda: b'"weight":19' in registrations(witness, path)[0], 10,
               "its weight is the last")
    assert len(children(witness, path)) == 1
    assert nerve.process.stop(seconds=2) == 0
