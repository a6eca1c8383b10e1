"""synapsectl: what operators ask of the agent and tell it to do."""

import fcntl
import grp
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

import program
import wait
from haproxy import Backend, web
from status import Status
from zookeeper import register

PROGRAM = [program.LUA, f"{program.ROOT}/haproxy/synapsectl"]
NOBODY = 65534


def run(*words, environment=None, user=None):
    """Runs it. Returns its exit status, output and errors."""
    done = subprocess.run(
        [*PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=120 * wait.FACTOR, user=user, group=user,
        extra_groups=[] if user else None,
        env={"PATH": os.environ["PATH"], **(environment or {})})
    return done.returncode, done.stdout, done.stderr


class Site:
    """Two instances behind one HAProxy, in two services."""

    def __init__(self, sandbox, healthy, witness, path):
        self.sandbox, self.client, self.path = sandbox, witness, path
        self.one, self.two = sandbox.service("one"), sandbox.service("two")
        self.nodes = [register(witness, path, it.payload(it.name))
                      for it in (self.one, self.two)]
        self.socket = sandbox.path("operator.sock")
        self.watching = sandbox.path("watch.sock")
        self.proxy = sandbox.haproxy(
            [web(healthy, path), web(healthy, path, name="api")],
            status=True, extra=[
                f"stats socket {self.watching} mode 666 level user name watch",
                f"stats socket {self.socket} mode 660 level operator "
                "name synapse"])
        for backend in ("web", "api"):
            self.serves([self.one, self.two], backend)

    def serves(self, services, backend="web"):
        """Waits until exactly these serve."""
        wanted = sorted(service.address for service in services)
        wait.until(lambda: self.proxy.serving(backend) == wanted, 15,
                   f"{backend} serves {wanted}")

    def run(self, *words):
        return run("-s", self.socket, *words)

    def done(self, *words):
        """Runs a command, which must succeed. Returns what it printed."""
        code, out, said = self.run(*words)
        assert (code, said) == (0, ""), out
        return out

    def json(self, *words):
        return json.loads(self.done(*words, "--json"))

    def state(self):
        """Returns the JSON about the instance `one` in the service web."""
        return next(it["at"] for it in self.json(
            "instance", self.one.address)["services"] if it["service"] == "web")


@pytest.fixture
def site(sandbox, healthy, witness, path):
    return Site(sandbox, healthy, witness, path)


def test_it_shows_what_the_agent_knows(site):
    site.done("wait", "web", "--ready", "2")
    text = site.done("status")
    assert re.search(r"^connected  0x\w+  \S+:", text, re.M)
    assert re.search(r"^whole  web      2/2    2/8    -$", text, re.M)
    assert "\x1b" not in text
    assert len(site.json("status")["services"]) == 2
    text = site.done("service", "web")
    assert re.search(rf"^ready  {site.one.address} +s\d+ +1 +one +-$", text,
                     re.M)
    assert site.json("service", "web")["backend"] == "web"
    text = site.done("instance", site.one.address)
    assert re.search(r"^ready  api .*\nready  web ", text, re.M)
    assert site.state()["state"] == "ready"
    assert re.search(rf"Z  web +{site.one.address} +absent +ready",
                     site.done("events"))
    assert "api" not in site.done("events", "web")
    assert {it["service"] for it in site.json("events", "api")["events"]} == {
        "api"}
    assert site.json("events", "nobody")["events"] == []
    assert site.one.address not in site.done("dump")
    assert len(json.loads(site.done("dump"))["services"]) == 2
    # Without a terminal the live view is printed once.
    text = site.done("top")
    assert "whole  web" in text and "absent  ready" in text


def test_an_instance_goes_out_in_every_service_and_comes_back(site):
    """`set server` needed each backend and slot, and nobody knew why an
    instance was out."""
    assert site.done("maint", site.one.address, "--reason",
                     r"disk; \ errors <<", "--for", "2h") == (
        f"{site.one.address} is maint in api, web\n")
    for backend in ("web", "api"):
        assert site.proxy.serving(backend) == [site.two.address]
    shown = site.state()
    assert shown["state"] == "maint"
    assert re.fullmatch(r"maint by an operator until \d{4}-\d\d-\d\dT"
                        r"\d\d:\d\d:\d\dZ: disk; \\ errors <<", shown["why"])
    assert shown["operator"]["reason"] == r"disk; \ errors <<"
    assert abs(shown["operator"]["till"] - time.time() - 7200) < 60
    assert "disk; " in site.done("events")
    assert 'synapse_operator_states{state="maint_until"} 2\n' in Status(
        site.proxy).ask("/metrics")[1]
    # It survives a reload at once, with its reason.
    site.proxy.reload()
    assert site.proxy.serving() == [site.two.address]
    assert site.state()["operator"] == shown["operator"]
    assert site.json("drain", site.one.address) == {
        "result": "done",
        "message": f"{site.one.address} is drain in api, web"}
    assert site.state()["why"] == "drain by an operator"
    site.done("ready", site.one.address)
    for backend in ("web", "api"):
        site.serves([site.one, site.two], backend)


def test_it_ends_by_itself(site):
    site.done("maint", site.one.address, "--for", "2s", "--reason", "x")
    assert site.proxy.serving() == [site.two.address]
    site.serves([site.one, site.two])
    site.proxy.process.says(f"{site.one.address} maint -> ready: "
                            "the operator's time is over")
    assert "operator" not in site.state()


def test_it_ends_by_itself_after_a_reload_and_while_its_instance_is_away(site):
    site.done("maint", site.one.address, "--for", "3s")
    site.proxy.remembers([site.one, site.two])
    site.client.delete(site.nodes[0])
    wait.until(lambda: site.one.address not in site.proxy.weights(), 10,
               "it is gone")
    site.proxy.reload()
    register(site.client, site.path, site.one.payload("one"))
    site.serves([site.one, site.two])


def test_the_operators_hand_has_the_last_word(site):
    slot = site.proxy.slots()[site.one.address]
    site.done("maint", site.one.address, "--reason", "x")
    assert site.proxy.ask(f"set server web/{slot} state ready") == "\n"
    site.serves([site.one, site.two])
    wait.until(lambda: site.state()["state"] == "ready", 10, "it is noticed")
    assert site.proxy.serving("api") == [site.two.address]


def test_a_frozen_service_puts_an_order_off(site):
    site.done("freeze", "web")
    code, out, said = site.run("maint", site.one.address)
    assert (code, out) == (3, "")
    assert said == (f"synapsectl: {site.one.address} is maint in api, web as "
                    "soon as what is frozen (web) is thawed\n")
    assert site.proxy.serving("api") == [site.two.address]
    assert len(site.proxy.serving()) == 2
    assert site.done("thaw", "web") == "web follows ZooKeeper again\n"
    site.serves([site.two])
    assert "reading 2 services again" in site.done("resync")
    assert "reading 1 service again" in site.done("resync", "api")


def test_it_waits_until_so_many_are_ready(site):
    site.done("maint", site.one.address)
    code, _, said = site.run("wait", "web", "--ready", "2", "--timeout", "1s")
    assert (code, said) == (1, "synapsectl: web has 1 instance of 2 ready "
                               "after 1 s\n")
    waiting = site.sandbox.run("waiting", [
        *PROGRAM, "-s", site.socket, "wait", "web", "--ready", "2"])
    # HAProxy is reloaded meanwhile, as in a deploy.
    site.proxy.reload()
    assert waiting.alive()
    site.done("ready", site.one.address)
    assert waiting.ended(30) == 0
    assert site.json("wait", "web", "--ready", "1")["result"] == "done"


@pytest.mark.parametrize("words, said", [
    (["service", "nobody"], "nobody: no such service"),
    (["freeze", "nobody"], "nobody: no such service"),
    (["wait", "nobody", "--ready", "1"], "nobody: no such service"),
    (["instance", "127.0.0.1:1"], "127.0.0.1:1: no service has such an "),
    (["maint", "127.0.0.1:1"], "127.0.0.1:1: no service has such an "),
    (["maint", "127.0.0.1:1", "--reason", "a\nb"], "a word of the command line "
     "has a control character"),
    (["maint", "127.0.0.1:1", "--reason", "x" * 201], "reason: the text has "
     "more than 200 bytes"),
])
def test_what_cannot_be_done_is_named(sandbox, healthy, path, words, said):
    place = sandbox.path("operator.sock")
    sandbox.haproxy([web(healthy, path)], extra=[
        f"stats socket {place} level admin name synapse"])
    code, out, errors = run("-s", place, *words)
    assert (code, out) == (1, "")
    assert errors.startswith(f"synapsectl: {said}")
    code, out, errors = run("-s", place, *words, "--json")
    assert (code, errors) == (1, "")
    assert json.loads(out)["result"] == "failed"
    assert json.loads(out)["message"].startswith(said)


@pytest.mark.parametrize("words, said", [
    ([], "COMMAND is missing"),
    (["statsu"], "statsu is not a command; did you mean \"status\"?"),
    (["service"], "NAME is missing"),
    (["service", "a", "b"], "b is one word too many"),
    (["status", "--reason", "x"], "--reason is not an option of this command"),
    (["maint", "a:1", "--resaon", "x"], "--resaon is not an option of this "
     "command; did you mean \"--reason\"?"),
    (["maint", "a:1", "--for", "2w"], '--for: "2w" is not a time such as'),
    (["maint", "a:1", "--for"], "--for needs a value"),
    (["wait", "a"], "--ready N is missing"),
    (["wait", "a", "--ready", "0"], '--ready: "0" is not a number'),
])
def test_a_wrong_command_line_is_named(words, said):
    code, out, errors = run(*words)
    assert (code, out) == (2, "")
    assert errors.startswith(f"synapsectl: {said}"), errors
    code, out, errors = run("--json", *words)
    assert (code, errors) == (2, "")
    assert json.loads(out)["message"].startswith(said)


def test_help_and_version_need_no_haproxy():
    code, out, _ = run("--help")
    assert code == 0 and out.startswith("usage: synapsectl [-s SOCKET")
    with open(f"{program.ROOT}/VERSION") as file:
        assert run("--version")[:2] == (0, f"synapsectl {file.read()}")


# Where it looks for the socket, and what it says if there is none.


def test_the_socket_is_that_of_the_configuration(sandbox, site):
    """Commands that change something use the socket with the right level."""
    assert run("-c", site.proxy.file, "status")[0] == 0
    assert run("-c", site.proxy.file, "resync")[0] == 0
    assert run("status", environment={"SYNAPSE_SOCKET": site.socket})[0] == 0
    # -c wins over the variable, and -s over both.
    assert run("-c", site.proxy.file, "status",
               environment={"SYNAPSE_SOCKET": "/nowhere"})[0] == 0
    assert run("-s", site.socket, "-c", "/nowhere", "status")[0] == 0
    # A directory, as HAProxy takes one.
    os.mkdir(sandbox.path("conf.d"))
    os.symlink(site.proxy.file, sandbox.path("conf.d", "a.cfg"))
    assert run("-c", sandbox.path("conf.d"), "status")[0] == 0


def test_a_configuration_without_a_socket_is_named(sandbox):
    file = sandbox.write("none.cfg", "global\n  stats socket ipv4@:1\n")
    code, _, said = run("-c", file, "status")
    assert code == 1
    assert said == (f"synapsectl: {file}: no `stats socket` with a path; add "
                    "`stats socket /run/haproxy-synapse.sock mode 660 level "
                    "operator name synapse`, or give -s SOCKET\n")
    code, _, said = run("-c", "/nowhere/haproxy.cfg", "status")
    assert (code, said) == (
        1, "synapsectl: /nowhere/haproxy.cfg: cannot be read: no such file; "
        "say where HAProxy listens: -s SOCKET, or SYNAPSE_SOCKET\n")
    secret = sandbox.write("secret.cfg", "global\n")
    os.chmod(secret, 0o600)
    os.chmod(sandbox.directory, 0o711)
    code, _, said = run("-c", secret, "status", user=NOBODY)
    assert code == 1 and f"{secret}: cannot be read; say where" in said


def test_a_socket_that_cannot_be_reached_is_named(sandbox):
    where = sandbox.path("gone.sock")
    assert run("-s", where, "status")[::2] == (
        1, f"synapsectl: {where}: no such socket; is HAProxy running?\n")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(where)
    assert run("-s", where, "status")[::2] == (
        1, f"synapsectl: {where}: nobody listens; is HAProxy running?\n")
    file = sandbox.write("file", "")
    assert run("-s", file, "status")[::2] == (
        1, f"synapsectl: {file}: is no socket\n")
    long = "/" + "x" * 200
    assert run("-s", long, "status")[::2] == (
        1, f"synapsectl: {long}: longer than 107 bytes, so it is no socket\n")


def test_missing_rights_are_named(sandbox, site):
    os.chmod(sandbox.directory, 0o711)
    code, _, said = run("-s", site.socket, "status", user=NOBODY)
    group = grp.getgrgid(os.stat(site.socket).st_gid).gr_name
    assert (code, said) == (
        1, f"synapsectl: {site.socket}: no rights (user root, group {group}, "
        "mode 660); use sudo, or a user of that group\n")
    # A command that only looks does not use the socket with more rights.
    assert run("-s", site.watching, "status", user=NOBODY)[0] == 0


def test_a_level_that_is_too_low_is_named(site):
    code, _, said = run("-s", site.watching, "maint", site.one.address)
    assert (code, said) == (
        1, "synapsectl: the stats socket watch has level user; this needs "
        "level operator or admin\n")
    code, _, said = run("-s", site.proxy.socket, "maint", site.one.address)
    assert code == 1 and "cannot tell the level of this stats socket" in said
    assert len(site.proxy.serving()) == 2


def test_an_haproxy_without_the_agent_is_named(sandbox):
    proxy = sandbox.haproxy([Backend(slots=0)], agent=False)
    for words in (["status"], ["freeze", "web"], ["events"]):
        code, _, said = run("-s", proxy.socket, *words)
        assert code == 1
        assert said.startswith(f"synapsectl: {proxy.socket}: this HAProxy has "
                               "no agent, or one that is older")


# The live view.


class Terminal:
    """synapsectl top in a terminal of 80 columns."""

    def __init__(self, site, lines=24, columns=80):
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execvp(PROGRAM[0], [*PROGRAM, "-s", site.socket, "top"])
        self.text = ""
        self.columns = columns
        fcntl.ioctl(self.file, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        """Takes what was written. Returns whether it is still running."""
        while select.select([self.file], [], [], 0)[0]:
            try:
                part = os.read(self.file, 65536)
            except OSError:
                return False
            self.text += part.decode(errors="replace")
        return True

    def screen(self):
        """Returns the lines of the last whole screen."""
        self.read()
        screens = re.findall(r"\x1b\[H(.*?)\x1b\[J", self.text, re.S)
        plain = re.sub(r"\x1b\[[0-9;]*[mK]", "", screens[-1] if screens else "")
        return plain.split("\r\n")

    def shows(self, pattern):
        """Waits until a screen has a matching line. Returns the screen."""
        return wait.until(
            lambda: (lines := self.screen()) and any(
                re.search(pattern, line) for line in lines) and lines, 20,
            f"the screen shows {pattern}: {self.screen()}")

    def press(self, keys):
        os.write(self.file, keys.encode())

    def end(self, seconds=20):
        """Waits until it has ended. Returns its exit status."""
        def ended():
            self.read()
            done, how = os.waitpid(self.pid, os.WNOHANG)
            return done and (os.waitstatus_to_exitcode(how),)
        code, = wait.until(ended, seconds, "it ends")
        self.read()
        os.close(self.file)
        return code


@pytest.fixture
def terminal(site):
    opened = Terminal(site)
    yield opened
    try:
        os.kill(opened.pid, signal.SIGKILL)
        os.waitpid(opened.pid, 0)
        os.close(opened.file)
    except (ProcessLookupError, ChildProcessError):
        pass


def test_the_live_view_moves_filters_and_opens(site, terminal):
    lines = terminal.shows(r"^> whole +api +2/2")
    assert all(len(line) <= 80 for line in lines)
    assert len(lines) <= 24
    assert lines[-1].startswith("j/k move")
    # An address may be so long that there is no room for the state before.
    terminal.shows(rf"web +{site.one.address} +(absent +)?ready")
    terminal.press("j")
    terminal.shows(r"^> whole +web")
    terminal.press("\x1b[A")
    terminal.shows(r"^> whole +api")
    terminal.press("/we")
    lines = terminal.shows(r"filter: we_")
    assert not any(re.match(r"[> ] whole +api", line) for line in lines)
    terminal.press("\r\r")
    terminal.shows("^service web$")
    terminal.shows(rf"^[> ] ready +{site.one.address}")
    # New events appear without a key.
    site.done("maint", site.one.address, "--reason", "a very long story " * 9)
    lines = terminal.shows(rf"^[> ] maint +{site.one.address} .*by an oper")
    assert all(len(line) <= 80 for line in lines)
    terminal.press("\x1b")
    terminal.shows(r"^> whole +web +1/2")
    terminal.press("\x1b")
    terminal.shows(r"^[> ] whole +api")
    terminal.press("p")
    terminal.shows("only problems")
    terminal.press("q")
    assert terminal.end() == 0
    # The terminal is as before: its screen, its cursor, its echo.
    assert terminal.text.rstrip().endswith("\x1b[?25h\x1b[?1049l")


def test_the_live_view_lives_through_a_reload_and_says_when_nobody_answers(
        site, terminal):
    terminal.shows(r"^> whole +api")
    site.proxy.reload()
    site.done("maint", site.one.address)
    terminal.shows(r"^> whole +api +1/2")
    site.proxy.stop()
    lines = terminal.shows("is HAProxy running")
    # The last known state is still shown.
    assert any(re.match("> whole +api", line) for line in lines)
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.end() == 0
    assert terminal.text.rstrip().endswith("\x1b[?25h\x1b[?1049l")


def test_bash_completes_services_and_instances(site):
    def complete(*words):
        line = " ".join(words)
        script = (f". {program.ROOT}/haproxy/synapsectl.bash-completion; "
                  "synapsectl() { " + " ".join(PROGRAM) + ' "$@"; }; '
                  'COMP_LINE=$1; COMP_POINT=${#1}; shift; COMP_WORDS=("$@"); '
                  "COMP_CWORD=$(($# - 1)); _synapsectl; "
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, "bash", line, *words],
                              capture_output=True, text=True, check=True,
                              timeout=60 * wait.FACTOR)
        return done.stdout.split()

    at = ("synapsectl", "-s", site.socket)
    assert "maint" in complete(*at, "")
    assert complete(*at, "service", "") == ["api", "web"]
    assert complete(*at, "freeze", "w") == ["web"]
    addresses = sorted([site.one.address, site.two.address])
    assert complete(*at, "maint", "") == addresses
    # bash splits words at a colon and replaces only the part after it.
    host, port = site.one.address.split(":")
    assert set(complete(*at, "maint", site.one.address, "--")) == {
        "--json", "--reason", "--for"}
