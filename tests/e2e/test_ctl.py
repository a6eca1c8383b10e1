"""nerve ctl: an operator takes an instance out and puts it back, sees the
state, and waits for the state that should follow."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import time

import pytest

import ctl
import wait
from ctl import controlled
from haproxy import web as backend
from metrics import Pages
from nerve import check, watched
from watching import Watching, state
from zookeeper import births, children, registrations

DRAIN = 1.5


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


@pytest.fixture
def web(one, healthy, path):
    """The entry of a service that is registered below `path`."""
    return watched(one, healthy, path, weight=7)


@pytest.fixture
def nerve(sandbox, web, witness, path):
    """A nerve with a control socket that has registered the service."""
    started = sandbox.nerve("one", {"web": web}, **controlled(sandbox, "one"))
    wait.until(lambda: children(witness, path), 10, "it is registered")
    return started


class Diary(Watching):
    """Records what a reader sees of one registration, and when."""

    def __init__(self, client, path):
        self.seen = []
        super().__init__(client, path)

    def _look(self, znode, event=None):
        super()._look(znode, event)
        if event is not None:
            self.seen.append((time.monotonic(), event.type))


def weight_of(client, path):
    """Returns the weight of the only registration, or None if there is
    none."""
    found = registrations(client, path)
    return json.loads(found[0]).get("weight") if found else None


def test_disable_drains_removes_and_returns_when_that_is_confirmed(
        nerve, one, witness, path):
    diary = Diary(witness, path)
    start = time.monotonic()
    text = ctl.done(nerve, "disable", "web", "--reason", "new disk",
                    "--drain", f"{int(DRAIN * 1000)}ms")
    took = time.monotonic() - start
    assert children(witness, path) == []
    assert "web: disabled: not registered" in text
    assert took >= DRAIN
    wait.until(lambda: len(diary.seen) == 2, 5, "both changes are seen")
    (first, changed), (second, deleted) = diary.seen
    assert (changed, deleted) == ("CHANGED", "DELETED")
    assert second - first >= DRAIN - 0.5
    seen = ctl.status(nerve)
    assert seen["state"] == "up" and seen["registered"] is None
    assert seen["hold"]["reason"] == "new disk"
    assert seen["hold"]["author"] == "root"
    nerve.process.says("web: disabled by root: new disk")
    wait.always(lambda: not children(witness, path), 0.5, "it stays out")

    text = ctl.done(nerve, "enable", "web")
    assert registrations(witness, path) == [one.payload("one", weight=7)]
    assert f"web: enabled: {path}/one_" in text
    assert "hold" not in ctl.status(nerve)


def test_while_it_drains_it_shows_weight_0(nerve, sandbox, witness, path):
    before = births(witness, path)
    asked = ctl.begin(sandbox, "disable", nerve, "disable", "web", "--reason",
                      "deploy", "--drain", "30s")
    wait.until(lambda: weight_of(witness, path) == 0, 10, "its weight is 0")
    assert births(witness, path) == before
    assert asked.alive()
    assert "(being changed)" in ctl.done(nerve, "status")
    ctl.done(nerve, "enable", "web")
    assert weight_of(witness, path) == 7
    assert births(witness, path) == before
    assert asked.ended(10) == 0


def test_another_weight_is_published_until_it_is_enabled(
        nerve, witness, path):
    before = births(witness, path)
    assert "web: weight 3: " in ctl.done(nerve, "weight", "web", "3")
    assert weight_of(witness, path) == 3
    assert births(witness, path) == before
    table = ctl.done(nerve, "status").splitlines()
    assert table[0].split() == ["SERVICE", "ADDRESS", "CHECKS", "WEIGHT",
                                "REGISTRATION"]
    assert table[1].split()[2:4] == ["up", "3"]
    assert table[2].startswith("  weight 3 by root ")
    ctl.done(nerve, "enable", "web")
    assert weight_of(witness, path) == 7


def test_what_is_held_shows_in_the_metrics(nerve, web):
    pages = Pages()
    held = ("nerve_service_held", 'service="web"')
    nerve.reload({"web": web}, metrics_listen=pages.listen,
                 **controlled_again(nerve))
    wait.until(lambda: pages.ask("/health")[0] == 200, 10, "all is in order")
    assert pages.samples()[held] == 0
    ctl.done(nerve, "disable", "web", "--reason", "r", "--drain", "0")
    assert pages.samples()[held] == 1
    assert pages.ask("/health")[0] == 200
    ctl.done(nerve, "enable", "web")
    assert pages.samples()[held] == 0


def test_a_name_that_carries_the_data_is_made_anew_before_the_old_one_goes(
        nerve, web, witness, path):
    nerve.reload({"web": dict(web, use_path_encoding=True)},
                 **controlled_again(nerve))
    wait.until(lambda: children(witness, path)[0].startswith("base64_"), 10,
               "its name carries its data")
    wait.until(lambda: len(children(witness, path)) == 1, 10, "alone")
    before = births(witness, path)
    counts = []
    watching = witness.ChildrenWatch(
        path, lambda names: counts.append(len(names)))
    ctl.done(nerve, "weight", "web", "3")
    assert watching and not set(births(witness, path)) & set(before)
    assert weight_of(witness, path) == 3
    assert min(counts) == 1


def controlled_again(nerve):
    """Returns the keys of its configuration that `controlled` gave it."""
    with open(nerve.file) as file:
        read = json.load(file)
    return {key: read[key] for key in ("control_socket", "holds_path")}


def answers(nerve):
    """Waits until a nerve that has just started answers."""
    wait.until(lambda: ctl.ask(nerve, "status")[0] == 0, 10, "it answers")


def is_up(nerve):
    """Waits until it has found its service up."""
    answers(nerve)
    wait.until(lambda: ctl.status(nerve)["state"] == "up", 10, "it is up")


def test_a_hold_survives_a_reload_and_a_restart(nerve, web, witness, path):
    ctl.done(nerve, "disable", "web", "--reason", "new disk", "--for", "2h",
             "--drain", "0")
    held = ctl.status(nerve)["hold"]
    nerve.reload({"web": dict(web, weight=8)}, **controlled_again(nerve))
    assert ctl.status(nerve)["hold"] == held
    assert children(witness, path) == []
    for number in signal.SIGTERM, signal.SIGKILL:
        nerve.process.stop(number)
        nerve.start()
        is_up(nerve)
        assert ctl.status(nerve)["hold"] == held
        wait.always(lambda: not children(witness, path), 0.5, "it stays out")
    assert "  disabled by root" in ctl.done(nerve, "status")
    ctl.done(nerve, "enable", "web")
    assert weight_of(witness, path) == 8


def test_a_hold_survives_an_upgrade_and_no_znode_is_touched(
        nerve, web, sandbox, healthy, witness, path):
    other = sandbox.service("other")
    nerve.reload({"web": web, "other": watched(other, healthy,
                                               f"{path}-other")},
                 **controlled_again(nerve))
    wait.until(lambda: children(witness, f"{path}-other"), 10, "registered")
    ctl.done(nerve, "weight", "web", "3")
    ctl.done(nerve, "disable", "other", "--reason", "r", "--drain", "0")
    before, watching = state(witness, path), Watching(witness, path)
    nerve.process.send(signal.SIGUSR2)
    nerve.process.says("takes over")
    nerve.process.says("session resumed")
    answers(nerve)
    wait.until(lambda: ctl.status(nerve)["settled"], 10, "all is as it was")
    assert ctl.status(nerve)["hold"]["weight"] == 3
    assert ctl.status(nerve, "other")["hold"]["out"]
    assert state(witness, path) == before
    assert watching.events == []
    assert children(witness, f"{path}-other") == []


def kept(nerve):
    """Returns the text of its file of holds."""
    with open(controlled_again(nerve)["holds_path"]) as file:
        return file.read()


def test_a_hold_ends_by_itself(nerve, witness, path):
    ctl.done(nerve, "disable", "web", "--reason", "new disk", "--for", "1s",
             "--drain", "0")
    nerve.process.says("web: the hold of root is over")
    wait.until(lambda: children(witness, path), 5, "it is registered again")
    assert "hold" not in ctl.status(nerve)
    wait.until(lambda: "new disk" not in kept(nerve), 10, "the file has it too")
    nerve.process.stop(signal.SIGKILL)
    nerve.start()
    answers(nerve)
    assert "hold" not in ctl.status(nerve)


def test_wait_returns_when_it_is_up_or_down(
        nerve, sandbox, one, witness, path):
    assert f"web: up: {path}/one_" in ctl.done(nerve, "wait", "web", "--up")
    for way, word in (("down", "hang"), ("up", "up")):
        asked = ctl.begin(sandbox, f"wait-{way}", nerve, "wait", "web",
                          f"--{way}")
        assert asked.alive()
        one.set_health(word)
        assert asked.ended(20) == 0
        assert bool(children(witness, path)) == (way == "up")
    code, text = ctl.ask(nerve, "wait", "web", "--down", "--timeout", "500ms")
    assert code == 1 and re.search(r"web: not down within \d+m?s: ", text)


def test_without_zookeeper_all_is_noted_and_applied_on_its_return(
        sandbox, path):
    server = sandbox.zookeeper()
    client, one = server.client(), sandbox.service("one")
    paths = [f"{path}/{name}" for name in ("web", "light")]
    nerve = sandbox.nerve("one", {
        "web": watched(one, server, paths[0]),
        "light": watched(one, server, paths[1])}, **controlled(sandbox, "one"))
    wait.until(lambda: all(children(client, at) for at in paths), 10,
               "both are registered")
    before = [births(client, at) for at in paths]
    server.stop()
    nerve.process.says("connection lost")
    waits = ctl.begin(sandbox, "wait", nerve, "wait", "web", "--down")
    status, text = ctl.ask(nerve, "disable", "web", "--reason", "r", "--drain",
                           "3s")
    assert status == 3
    assert "web: disabled, but not confirmed: ZooKeeper is away" in text
    status, text = ctl.ask(nerve, "weight", "light", "3")
    assert status == 3 and "light: weight 3, but not confirmed" in text
    assert ctl.done(nerve, "status").count("(ZooKeeper is away: ") == 2
    status, text = ctl.ask(nerve, "wait", "web", "--down", "--timeout", "1s")
    assert status == 1 and "ZooKeeper is away" in text
    assert waits.alive()

    server.start()
    client = server.client()
    wait.until(lambda: weight_of(client, paths[0]) == 0, 20, "it drains")
    wait.until(lambda: weight_of(client, paths[1]) == 3, 20, "it weighs 3")
    assert [births(client, at) for at in paths] == before
    assert waits.ended(20) == 0
    assert children(client, paths[0]) == []
    ctl.done(nerve, "enable", "web")
    assert len(children(client, paths[0])) == 1


def test_a_second_nerve_on_the_same_socket_does_not_start(
        nerve, sandbox, web, witness, path):
    before = state(witness, path)
    second = sandbox.nerve("two", {"web": web}, **controlled_again(nerve))
    assert second.process.ended(10) == 1
    assert second.process.lines(
        rf"error cannot start: control_socket: .*one.sock: another nerve "
        rf"\(pid {nerve.process.pid}\) listens there; stop it")
    nerve.process.freeze()
    second.start()
    assert second.process.ended(10) == 1
    nerve.process.thaw()
    assert ctl.status(nerve)["state"] == "up"
    assert state(witness, path) == before


def test_the_socket_of_a_dead_nerve_is_replaced_and_only_for_the_group(
        nerve):
    path = controlled_again(nerve)["control_socket"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    nerve.process.stop(signal.SIGKILL)
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    code, text = ctl.ask(nerve, "status")
    assert code == 1 and "Connection refused; no nerve listens there" in text
    nerve.start()
    answers(nerve)
    nerve.process.stop()
    assert not os.path.exists(path)


def listens(path):
    """Tells whether a process accepts connections there. The socket has its
    name before that."""
    with open("/proc/net/unix") as file:
        return any(line.split()[3] == "00010000" and line.endswith(f" {path}\n")
                   for line in file)


@pytest.mark.parametrize("trouble, says", [
    ("file", "is there, and is no socket"),
    ("stranger", "another program listens there"),
    ("directory", "No such file or directory")])
def test_a_socket_that_cannot_be_made_is_a_clear_error(
        trouble, says, sandbox, web):
    path = sandbox.path("there")
    if trouble == "file":
        sandbox.write("there", "precious")
    if trouble == "stranger":
        sandbox.run("stranger", ["socat", f"UNIX-LISTEN:{path}", "PIPE"])
        wait.until(lambda: listens(path), 10, "it listens")
    if trouble == "directory":
        path = sandbox.path("missing", "there")
    nerve = sandbox.nerve("one", {"web": web}, control_socket=path,
                          holds_path=sandbox.path("holds"))
    assert nerve.process.ended(10) == 1
    line, = nerve.process.lines("error cannot start: control_socket: ")
    assert says in line
    if trouble == "file":
        assert open(path).read() == "precious"


def test_a_file_of_holds_that_is_damaged_is_a_clear_error(
        nerve, sandbox, web):
    nerve.process.stop()
    path = controlled_again(nerve)["holds_path"]
    with open(path, "w") as file:
        file.write('{"version": 1, "holds": [{"service": 7}]}')
    nerve.start()
    assert nerve.process.ended(10) == 1
    assert nerve.process.lines(
        r"holds_path: .*: holds\[0\]\.service: 7 is not a string")


def test_a_hold_that_cannot_be_kept_says_so(nerve, witness, path):
    holds = controlled_again(nerve)["holds_path"]
    os.mkdir(holds)
    code, text = ctl.ask(nerve, "disable", "web", "--reason", "r", "--drain",
                         "0")
    assert code == 1
    assert "disabled until nerve restarts" in text and "directory" in text
    assert children(witness, path) == []
    os.rmdir(holds)
    ctl.done(nerve, "enable", "web")
    assert len(children(witness, path)) == 1


def test_a_directory_of_holds_that_was_made_anew_is_used(
        nerve, web, sandbox):
    """nerve opened the directory once, so it kept nothing after the directory
    was replaced."""
    directory = sandbox.path("kept")
    os.mkdir(directory)
    holds = os.path.join(directory, "holds.json")
    nerve.reload({"web": web}, **dict(controlled_again(nerve),
                                      holds_path=holds))
    shutil.rmtree(directory)
    assert "No such file" in ctl.ask(nerve, "weight", "web", "3")[1]
    os.mkdir(directory)
    ctl.done(nerve, "weight", "web", "4")
    with open(holds) as file:
        assert json.load(file)["holds"][0]["weight"] == 4


def test_a_socket_that_was_removed_is_made_again_by_a_reload(
        nerve, web, sandbox):
    """The path had not changed, so a reload kept the old socket. Still only
    one nerve may have it."""
    files = controlled_again(nerve)
    os.remove(files["control_socket"])
    assert ctl.ask(nerve, "status")[0] == 1
    nerve.reload()
    assert ctl.status(nerve)["state"] == "up"
    second = sandbox.nerve("two", {"web": web}, **files)
    assert second.process.ended(10) == 1
    assert second.process.lines("another nerve .* listens there")
    assert ctl.status(nerve)["state"] == "up"


def test_a_reload_moves_the_socket_and_the_holds(nerve, web, sandbox):
    ctl.done(nerve, "disable", "web", "--reason", "r", "--drain", "0")
    old = controlled_again(nerve)
    nerve.reload({"web": web}, **controlled(sandbox, "moved"))
    assert not os.path.exists(old["control_socket"])
    assert ctl.status(nerve)["hold"]["reason"] == "r"
    moved = controlled_again(nerve)["holds_path"]
    wait.until(lambda: os.path.exists(moved), 5, "the holds are there too")
    sandbox.write("taken", "")
    nerve.reload({"web": web}, says="not reloaded, nothing is changed: control",
                 control_socket=sandbox.path("taken"),
                 holds_path=old["holds_path"])
    nerve.configure({"web": web}, **controlled(sandbox, "moved"))
    assert ctl.status(nerve)["hold"]["reason"] == "r"


def test_wrong_requests_are_named(nerve):
    for words, code, says in [
            ((), 2, "COMMAND is missing"),
            (("start", "web"), 2, "start is not a command"),
            (("disable", "web"), 2, "--reason TEXT is missing"),
            (("disable", "--reason", "r"), 2, "SERVICE is missing"),
            (("disable", "web", "--reason", "r", "--for", "soon"), 2,
             "soon is not a time such as 20s, 30m, 2h or 7d"),
            (("enable", "web", "--for", "1s"), 2,
             "--for is not an option of this command"),
            (("enable", "web", "api"), 2, "api is one word too many"),
            (("weight", "web"), 2, "N is missing"),
            (("weight", "web", "-1"), 2, "-1 is not an option"),
            (("weight", "web", "x"), 2, "x is not a weight"),
            (("wait", "web"), 2, "--up or --down is missing"),
            (("wait", "web", "--up", "--timeout"), 2,
             "--timeout needs a value"),
            (("enable", "api"), 1, "api: no such service"),
            (("wait", "api", "--down"), 1, "api: no such service"),
            (("disable", "web", "--reason", ""), 1, "reason: "),
            (("disable", "web", "--reason", "r" * 300), 1,
             "reason: longer than 256 bytes"),
            (("-s", "/none", "status"), 1,
             "/none: No such file or directory; no nerve listens there")]:
        status, text = ctl.ask(nerve, *words)
        assert (status, says in text) == (code, True), (words, text)
    ctl.done(nerve, "disable", "web", "--reason", "r", "--drain", "0")
    code, text = ctl.ask(nerve, "weight", "web", "3")
    assert code == 1 and "it is disabled; enable it first" in text


def test_garbage_on_the_socket_is_answered_and_hurts_nobody(nerve):
    path = controlled_again(nerve)["control_socket"]
    for said, says in [(b"x" * 5000, "at most 4096 bytes"),
                       (b"\n", "must be JSON"), (b"[]\n", "must be an object"),
                       (b'{"command": "stop"}\n', "command: must be one of"),
                       (b'{"command": "enable"}\n', "service: missing"),
                       (b'{"command": "dump", "x": 1}\n', "x: no key of dump")]:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10 * wait.FACTOR)
            client.connect(path)
            client.sendall(said)
            answer = json.loads(client.makefile().read())
        assert answer["result"] == "failed" and says in answer["message"]
    silent = []
    for _ in range(70):
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        silent.append(client)
    for client in silent:
        client.close()
    answers(nerve)


def test_clients_that_come_and_go_all_the_time_hold_nobody_up(nerve):
    """Each new client delayed the next look at those before it. While clients
    came faster than that, no hold ended, and only sixty-four clients got an
    answer."""
    path = controlled_again(nerve)["control_socket"]

    def is_over():
        for _ in range(100):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
        return nerve.process.lines("web: the hold of root is over")

    ctl.done(nerve, "weight", "web", "3", "--for", "1s")
    wait.until(is_over, 10, "the hold is over")
    answers(nerve)


def test_a_configuration_names_both_files_or_says_why(sandbox, web):
    def says(**keys):
        return check(sandbox.write("wrong.json", json.dumps(
            {"instance_id": "one", "services": {"web": web}, **keys})))

    for keys, problem in [
            ({"control_socket": "/run/nerve.sock"},
             "holds_path: missing; with control_socket it must be a file"),
            ({"control_socket": "/" + "x" * 107},
             "control_socket: longer than 107 bytes"),
            ({"holds_path": "/var/lib/"},
             'holds_path: "/var/lib/" is not a file\'s path')]:
        code, text = says(**keys)
        assert code == 1 and problem in text
    code, text = ctl.ask(type("It", (), {"file": sandbox.path("wrong.json")}),
                         "status")
    assert code == 1 and "control_socket: missing" in text


def test_a_dump_has_what_helps_and_no_secret(
        sandbox, one, healthy, witness, path):
    checks = [{"type": "http", "uri": "/health?key=s3cret",
               "headers": {"Authorization": "s3cret"}, "expect": "s3cret"},
              {"type": "tcp", "send": "s3cret", "expect": "s3cret"},
              {"type": "exec", "command": ["/bin/true", "s3cret"]}]
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path,
                                                 checks=checks)},
                          **controlled(sandbox, "one"))
    nerve.process.says("web: instance ")
    text = ctl.done(nerve, "dump")
    assert "s3cret" not in text
    dump = json.loads(text)
    service, = dump["configuration"]
    assert [it["type"] for it in service["checks"]] == ["http", "tcp", "exec"]
    assert service["zk_path"] == path
    assert dump["status"]["services"][0]["name"] == "web"
    assert dump["process"]["max_rss_kib"] > 0


class Site:
    """A service with three instances, a nerve for each, behind one HAProxy."""

    def __init__(self, sandbox, server, path):
        self.services = [sandbox.service(name)
                         for name in ("one", "two", "three")]
        self.nerves = [sandbox.nerve(it.name, {"web": watched(
            it, server, path)}, **controlled(sandbox, it.name))
            for it in self.services]
        self.proxy = sandbox.haproxy([backend(server, path, lines=["retries 0"])])
        self.proxy.serves(self.services)

    def pairs(self):
        return zip(self.services, self.nerves)


def test_a_rolling_deploy_with_nerve_ctl_fails_no_request(
        sandbox, healthy, path):
    site = Site(sandbox, healthy, path)
    with sandbox.load(site.proxy, "rolling deploy, nerve ctl") as load:
        for service, nerve in site.pairs():
            ctl.done(nerve, "disable", "web", "--reason", "deploy", "--drain",
                     "1s", "--for", "5m")
            load.settle()
            before = load.answers[service.name]
            service.process.kill()
            load.settle(60)
            assert load.answers[service.name] == before
            service.start()
            ctl.done(nerve, "enable", "web")
            wait.until(lambda: load.answers[service.name] > before + 20, 10,
                       f"{service.name} serves again")
    load.assert_none_failed()
    assert all(load.answers[it.name] > 20 for it in site.services)


def test_control_a_rolling_deploy_by_kill_fails_requests(
        sandbox, healthy, path):
    site = Site(sandbox, healthy, path)
    with sandbox.load(site.proxy, "control: rolling deploy, kill") as load:
        for service, nerve in site.pairs():
            before = load.answers[service.name]
            service.process.kill()
            load.settle(60)
            service.start()
            wait.until(lambda: load.answers[service.name] > before + 20, 20,
                       f"{service.name} serves again")
    load.assert_some_failed()
