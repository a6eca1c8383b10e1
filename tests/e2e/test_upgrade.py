"""SIGUSR2: another binary takes over nerve in place, without any effect on its
registrations."""

import os
import shutil
import signal

import pytest

import program
import wait
from chain import Chain
from nerve import SESSION_TIMEOUT, http_check, watched
from quorum import Ensemble
from watching import Watching, state
from zookeeper import births, children, registrations

# A starting server leaves early connections hanging for two thirds of a
# session timeout. The remaining third must be enough on a busy machine.
KEPT = 2 * SESSION_TIMEOUT


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


@pytest.fixture
def web(one, healthy, path):
    """The entry of a service that is registered below `path`."""
    return watched(one, healthy, path)


@pytest.fixture
def nerve(sandbox, web, witness, path):
    """A nerve that has it registered."""
    return started(sandbox, web, witness, path)


def started(sandbox, web, client, path, **more):
    """A nerve with a binary of its own that has `web` registered."""
    nerve = sandbox.nerve("one", {"web": web}, start=False, **more)
    nerve.binary = shutil.copy(program.NERVE, sandbox.path("nerve"))
    nerve.start(nerve.binary)
    wait.until(lambda: children(client, path), 10, "it is registered")
    return nerve


def replace(nerve, text):
    """Replaces the binary by a program of /bin/sh, as a package manager does:
    by a rename."""
    with open(f"{nerve.binary}.new", "w") as file:
        file.write(f"#!/bin/sh\n{text}\n")
    os.chmod(f"{nerve.binary}.new", 0o755)
    os.rename(f"{nerve.binary}.new", nerve.binary)


def upgrade(nerve, says="info nerve .* goes on as"):
    """Sends SIGUSR2 and waits for nerve's log line about it."""
    before = len(nerve.process.lines(says))
    nerve.process.send(signal.SIGUSR2)
    wait.until(lambda: len(nerve.process.lines(says)) > before, 30,
               f"nerve says {says!r} once more")


def upgrade_and_resume(nerve):
    before = len(nerve.process.lines("session resumed"))
    upgrade(nerve)
    wait.until(lambda: len(nerve.process.lines("session resumed")) > before,
               20, "the session is resumed")


def owner(client, path):
    """Returns the session that owns the one registration below `path`."""
    name, = children(client, path)
    return client.exists(f"{path}/{name}").ephemeralOwner


def descriptors(pid):
    """Returns what each descriptor of a process refers to; None if one was
    just closed."""
    try:
        return sorted(os.readlink(f"/proc/{pid}/fd/{fd}").partition(":")[0]
                      for fd in os.listdir(f"/proc/{pid}/fd"))
    except FileNotFoundError:
        return None


def descendants(pid):
    """Returns all children of a process, zombies too."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


def assert_unnoticed(nerve, client, path, times):
    """Upgrades `times` times. Asserts that process, session and znode are the
    same and no watch has fired."""
    before, session = state(client, path), owner(client, path)
    watching = Watching(client, path)
    for _ in range(times):
        upgrade_and_resume(nerve)
    assert state(client, path) == before
    assert owner(client, path) == session
    assert watching.events == []


def test_an_upgrade_touches_no_znode(nerve, witness, path):
    assert_unnoticed(nerve, witness, path, 5)
    assert nerve.process.stop() == 0
    assert children(witness, path) == []


def test_an_upgrade_beside_an_ensemble_of_three_touches_no_znode(
        sandbox, one, path):
    ensemble = Ensemble(sandbox)
    sandbox.at_end(ensemble.close)
    ensemble.start()
    client = ensemble.client()
    web = watched(one, ensemble, path, zk_hosts=ensemble.addresses)
    nerve = started(sandbox, web, client, path)
    assert_unnoticed(nerve, client, path, 5)


def test_no_request_fails_while_nerve_is_upgraded(sandbox, path):
    chain = Chain(sandbox, path)
    before, seen = births(chain.client, path), chain.watch()
    with sandbox.load(chain.proxy, "nerves are upgraded") as load:
        for _ in range(3):
            for nerve in chain.nerves:
                upgrade_and_resume(nerve)
        load.settle(more=50)
        assert chain.lives_on()
    assert births(chain.client, path) == before
    assert seen == []
    load.assert_none_failed()


def test_no_descriptor_is_left_open(nerve):
    """The client library's socket and pipe are open in executed programs,
    too."""
    wait.until(lambda: nerve.process.lines("connected, new"), 10, "connected")
    upgrade_and_resume(nerve)
    before = wait.until(lambda: descriptors(nerve.process.pid), 10, "a look")
    for _ in range(3):
        upgrade_and_resume(nerve)
    wait.until(lambda: descriptors(nerve.process.pid) == before, 10,
               f"as before: {before}")


def test_failures_in_a_row_are_counted_on(nerve, web, one, witness, path):
    """If the checks started again, their first result would decide."""
    nerve.reload({"web": dict(web, checks=[http_check(fall=3)],
                              check_interval=0.5)})
    nerve.process.says("settings changed")
    wait.until(lambda: len(nerve.process.lines("unknown -> up")) == 2, 10,
               "the new checks have a result")
    one.set_health("down")
    asked = one.checks()
    wait.until(lambda: one.checks() > asked, 5, "a check has failed")
    upgrade(nerve)
    wait.until(lambda: not children(witness, path), 10, "it is removed")
    nerve.process.says("up -> down after 3 failures")
    assert not nerve.process.lines("unknown -> down")


def test_no_program_of_a_check_is_left(nerve, web, witness, path):
    nerve.reload({"web": dict(web, checks=[
        {"type": "exec", "command": ["sleep", "30"], "timeout": 30}])})
    wait.until(lambda: descendants(nerve.process.pid), 10, "it runs")
    program_of_check, = descendants(nerve.process.pid)
    upgrade_and_resume(nerve)
    assert not os.path.exists(f"/proc/{program_of_check}")
    assert len(children(witness, path)) == 1


def test_a_reload_that_ends_in_between_holds_no_upgrade_up(nerve, web):
    """A reload during an upgrade started checks although all had been stopped.
    The upgrade waited for a check's program and was given up. Here the file is
    a pipe, until the new binary has checked it."""
    nerve.configure({"web": dict(web, checks=[
        {"type": "exec", "command": ["sleep", "30"], "timeout": 30}])})
    file, kept = nerve.file, f"{nerve.file}.kept"
    os.rename(file, kept)
    os.mkfifo(file)
    replace(nerve, f"""case "$*" in
*" -k"*) exec 3>{file}
    mv {kept} {file}
    setsid sh -c 'touch {kept}; sleep 0.005; cat {file} >&3' &
    until [ -e {kept} ]; do :; done
    exit 0;;
esac
exec {program.NERVE} "$@" """)
    nerve.process.send(signal.SIGHUP)
    upgrade(nerve)
    nerve.process.says("web: settings changed")


REFUSALS = {
    "a binary that does not accept the configuration":
        ("echo services.web.colour: mauve is no colour; exit 1",
         "nerve: exit status 1: services.web.colour: mauve is no colour"),
    "a binary that crashes":
        ("kill -SEGV $$", "nerve: ended by signal 11"),
    "no binary":
        (None, "nerve: No such file or directory"),
    "a binary that cannot be executed twice":
        ("rm $0", "nerve: No such file or directory"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_binary_changes_nothing_and_says_why(
        case, nerve, one, witness, path):
    text, says = REFUSALS[case]
    before = state(witness, path)
    if text:
        replace(nerve, text)
    else:
        os.remove(nerve.binary)
    upgrade(nerve, f"error not upgraded, nothing is changed: .*{says}")
    assert state(witness, path) == before
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "its checks go on")


def test_a_wrong_configuration_changes_nothing_and_says_why(
        nerve, witness, path):
    before = state(witness, path)
    nerve.write('{"instance_id": "one", "services": {"web": {}}}')
    upgrade(nerve, "not upgraded.*services.web.host: missing")
    assert state(witness, path) == before


def test_what_is_handed_over_in_another_format_registers_anew(
        nerve, one, witness, path):
    old = births(witness, path)
    replace(nerve, f"""case "$*" in *" -k"*) exec {program.NERVE} "$@";; esac
echo '{{"format": 999}}' > /proc/self/fd/$NERVE_HANDOVER
exec {program.NERVE} "$@" """)
    upgrade(nerve, "upgraded, but .* is of format 999, not .*: registering")
    wait.until(lambda: len(births(witness, path)) == 2, 10, "both are there")
    wait.until(lambda: len(births(witness, path)) == 1,
               SESSION_TIMEOUT + 20, "the old one is gone")
    assert births(witness, path) != old
    assert registrations(witness, path) == [one.payload("one")]


def test_a_changed_configuration_is_carried_out_too(
        nerve, web, sandbox, healthy, witness, path):
    two, three = sandbox.service("two"), sandbox.service("three")
    nerve.reload({"web": web, "two": watched(two, healthy, f"{path}-2"),
                  "three": watched(three, healthy, f"{path}-3")})
    wait.until(lambda: children(witness, f"{path}-2")
               and children(witness, f"{path}-3"), 10, "all are registered")
    before = births(witness, path)
    nerve.configure({"web": dict(web, weight=7),
                     "three": watched(three, healthy, f"{path}-4")})
    upgrade(nerve)
    wait.until(lambda: b'"weight":7' in registrations(witness, path)[0], 10,
               "the weight is 7")
    assert births(witness, path) == before
    wait.until(lambda: not children(witness, f"{path}-2"), 10, "two is gone")
    wait.until(lambda: not children(witness, f"{path}-3"), 10, "three moved")
    birth, = births(witness, f"{path}-4").values()
    assert birth < witness.exists(f"{path}-3").pzxid


def test_one_that_waits_for_its_successor_is_checked_on(
        nerve, web, one, sandbox, witness, path):
    """After an upgrade nobody checked it: if it died, it stayed registered as
    long as its successor was down."""
    two = sandbox.service("two", health="down")
    nerve.reload({"web": dict(web, port=two.port)})
    nerve.process.says("instance .* unknown -> down")
    before = births(witness, path)
    upgrade_and_resume(nerve)
    assert births(witness, path) == before
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "it is removed")
    two.set_health("up")
    wait.until(lambda: registrations(witness, path) == [two.payload("one")],
               10, "its successor is registered")


def test_an_upgrade_with_zookeeper_away_keeps_the_session(
        sandbox, one, path):
    server = sandbox.zookeeper()
    client = server.client()
    nerve = started(sandbox, watched(one, server, path), client, path,
                    session_timeout=KEPT)
    before, session = births(client, path), owner(client, path)
    server.stop()
    nerve.process.says("connection lost")
    upgrade(nerve)
    server.start()
    nerve.process.says("session resumed", seconds=30)
    wait.always(lambda: births(client, path) == before, KEPT + 1, "it stays")
    assert owner(client, path) == session


def test_many_signals_at_once_end_no_process(nerve, witness, path):
    before = state(witness, path)
    for number in [signal.SIGUSR2, signal.SIGHUP] * 100:
        nerve.process.send(number)
    nerve.process.says("session resumed", seconds=20)
    upgrade_and_resume(nerve)
    assert state(witness, path) == before


def takes(thread, number):
    """Tells whether a thread takes this signal."""
    with open(f"{thread}/status") as file:
        held, = (int(line.split()[1], 16) for line in file
                 if line.startswith("SigBlk"))
    return not held >> (number - 1) & 1


def test_only_the_loop_takes_signals(nerve):
    """A signal that another thread took just before the exec was lost."""
    tasks = f"/proc/{nerve.process.pid}/task"
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2):
        assert [name for name in os.listdir(tasks)
                if takes(f"{tasks}/{name}", number)] == [
                    str(nerve.process.pid)]
    upgrade_and_resume(nerve)
    assert [name for name in os.listdir(tasks)
            if takes(f"{tasks}/{name}", signal.SIGTERM)] == [
                str(nerve.process.pid)]


@pytest.mark.parametrize("after", ["starts as", "takes over"])
def test_a_signal_to_end_is_not_lost_in_an_upgrade(
        after, nerve, witness, path):
    """A loop that did not turn again had already taken the signal."""
    nerve.process.send(signal.SIGUSR2)
    nerve.process.says(after)
    assert nerve.process.stop() == 0
    assert children(witness, path) == []
