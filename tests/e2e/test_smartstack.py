"""demo/smartstack, the program that controls the sandbox."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

import program
import wait
from demo_network import FOLDER, NETWORK, living

A1, A2, B1 = "service_a_node_1", "service_a_node_2", "service_b_node_1"
C1 = "service_c_node_1"
PATH = "/nerve/services/service_a/services"
ENVIRONMENT = {**os.environ, "DEMO_NETWORK": NETWORK}

numbers = itertools.count(1)


class SmartStack:
    """The program in a given source tree."""

    def __init__(self, sandbox, root=program.ROOT, before=()):
        self._command = [*before, os.path.join(root, "demo", "smartstack")]
        self._sandbox = sandbox
        sandbox.at_end(lambda: self.run("down"))

    def run(self, words):
        return subprocess.run(
            [*self._command, *words.split()], env=ENVIRONMENT, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=120 * wait.FACTOR)

    def __call__(self, words):
        """Runs a command, which must succeed. Returns what it prints."""
        done = self.run(words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refuses(self, words):
        """Runs a command, which must fail. Returns the message."""
        done = self.run(words)
        assert done.returncode == 1, done.stdout
        assert done.stderr.startswith("smartstack: ")
        return done.stderr

    def begin(self, words):
        """Starts a command; returns the running process."""
        return self._sandbox.run(
            f"smartstack-{next(numbers)}", [*self._command, *words.split()],
            env=ENVIRONMENT)

    def states(self):
        """Returns the state of every piece by its name."""
        rows = [line.split() for line in self("status").splitlines()[1:]]
        return {f"{row[0]} {row[1]}": row[3] for row in rows}


@pytest.fixture
def smartstack(sandbox):
    return SmartStack(sandbox)


def test_it_goes_up_is_broken_piece_by_piece_and_goes_down(smartstack):
    assert f"registered as {A2}_" in smartstack("up")
    assert set(smartstack.states().values()) == {"running"}
    assert len(smartstack.states()) == 10
    assert answers(smartstack) == {A1: 5, A2: 5, "failed": 0}

    smartstack(f"crash {A1} service")
    assert re.search(rf"{A1} is out of service_a on {B1}, \d+ ms after "
                     rf"`crash {A1} service`", smartstack(f"wait {A1} out"))
    assert smartstack.states()[f"{A1} service"] == "dead"
    assert answers(smartstack) == {A2: 10, "failed": 0}
    smartstack(f"start {A1} service")
    assert f"{A1} is in" in smartstack(f"wait {A1} in")

    smartstack(f"health {A2} off")
    smartstack(f"wait {A2} out")
    smartstack(f"health {A2} on")
    smartstack(f"wait {A2} in")

    smartstack("freeze zookeeper1 zookeeper")
    assert smartstack.states()["zookeeper1 zookeeper"] == "frozen"
    assert answers(smartstack) == {A1: 5, A2: 5, "failed": 0}
    smartstack("thaw zookeeper1 zookeeper")
    assert smartstack("zk ruok") == "zookeeper1: imok\n"

    smartstack(f"stop {A2} nerve")
    assert smartstack.states()[f"{A2} nerve"] == "stopped"
    smartstack(f"wait {A2} out")
    assert A2 not in smartstack(f"zk ls {PATH}")

    assert smartstack("down") == "all is down\n"
    assert not living()
    assert not os.path.exists(FOLDER)


def answers(smartstack):
    """Returns which instances answered ten requests, and how many requests
    failed."""
    lines = smartstack(f"call {B1} service_a -n 10").splitlines()
    return {name: int(count) for name, count, *_ in map(str.split, lines)}


def test_what_is_in_zookeeper_can_be_looked_at(smartstack):
    smartstack(f"up zookeeper1 {A1}")
    [name] = smartstack(f"zk ls {PATH}").split()
    assert name == f"{A1}_0000000000"
    assert json.loads(smartstack(f"zk get {PATH}/{name}")) == {
        "host": f"{NETWORK}.102", "port": 8000, "name": A1}
    stat = dict(map(str.split, smartstack(
        f"zk stat {PATH}/{name}").splitlines()))
    assert int(stat["czxid"]) > 0 and int(stat["ephemeral_owner"]) != 0
    assert "Mode: standalone" in smartstack("zk status")
    missing = smartstack.run("zk get /missing")
    assert missing.returncode == 1
    assert missing.stderr == "/missing: no node\n"


def test_a_cluster_of_three_loses_its_leader_and_then_its_quorum(smartstack):
    smartstack("up --cluster")
    assert len(smartstack.states()) == 12
    smartstack("crash leader zookeeper")
    assert re.search(r"zookeeper\d leads, \d+ ms after `crash zookeeper\d ",
                     smartstack("wait leader in"))
    assert answers(smartstack) == {A1: 5, A2: 5, "failed": 0}
    smartstack("crash follower zookeeper")
    wait.until(lambda: "serves nobody: no quorum" in smartstack("status"),
               20, "the one that is left knows")
    assert answers(smartstack) == {A1: 5, A2: 5, "failed": 0}


def test_a_kill_of_the_program_itself_hides_nothing_from_down(smartstack):
    rising = smartstack.begin("up")
    wait.until(lambda: len(living()) > 3, 40, "some pieces run")
    os.kill(rising.pid, signal.SIGKILL)
    rising.ended(10)
    smartstack("down")
    assert not living()
    assert not os.path.exists(FOLDER)


def test_down_ends_what_is_frozen_and_the_rest_of_what_has_crashed(
        smartstack):
    smartstack(f"up zookeeper1 {B1}")
    smartstack(f"freeze {B1} service")
    smartstack("freeze zookeeper1 zookeeper")
    # Kills the master alone, as somebody with a shell would. Its worker is
    # frozen, so it does not learn that the master is gone.
    smartstack(f"freeze {B1} haproxy")
    master = pid_of(smartstack, f"{B1} haproxy")
    os.kill(master, signal.SIGKILL)
    wait.until(lambda: smartstack.states()[f"{B1} haproxy"] == "dead", 10,
               "the master is gone")
    smartstack("down")
    assert not living()


def pid_of(smartstack, name):
    row = re.search(rf"(?m)^{name.replace(' ', ' +')} +(\d+) ",
                    smartstack("status"))
    return int(row[1])


def test_a_process_that_has_got_the_number_of_a_piece_is_left_alone(
        sandbox, smartstack):
    smartstack("up zookeeper1")
    smartstack("stop zookeeper1 zookeeper")
    stranger = sandbox.run("stranger", ["sleep", "600"])
    with open(os.path.join(FOLDER, "zookeeper1", "zookeeper.pid"),
              "w") as file:
        file.write(f"{stranger.pid} 1\n")
    assert smartstack.states()["zookeeper1 zookeeper"] == "dead"
    assert "does not run: it is dead" in smartstack.refuses(
        "crash zookeeper1 zookeeper")
    smartstack("down")
    assert stranger.alive()


def test_nobody_but_an_ordinary_user_is_needed(sandbox):
    root = tempfile.mkdtemp(prefix="myelin-tree-")
    sandbox.at_last(lambda: shutil.rmtree(root))
    for name in ("build/nerve", os.path.relpath(program.MODULE, program.ROOT),
                 ".ci", "lua", "haproxy", "demo", "csrc/examples"):
        source, target = os.path.join(program.ROOT, name), f"{root}/{name}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        copy = shutil.copytree if os.path.isdir(source) else shutil.copy
        copy(source, target)
    subprocess.run(["chown", "-R", "nobody:nogroup", root], check=True)
    smartstack = SmartStack(sandbox, root, before=[
        "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"])
    smartstack(f"up zookeeper1 {A1} {B1}")
    assert smartstack(f"call {B1} service_a -n 3").split() == [
        A1, "3", "failed", "0"]
    smartstack(f"reload {B1} haproxy")
    assert smartstack(f"call {B1} service_a -n 3").split() == [
        A1, "3", "failed", "0"]
    smartstack("down")
    assert not living()


def test_the_log_is_followed_and_the_view_redraws_itself(smartstack):
    smartstack(f"up zookeeper1 {A1} {B1}")
    assert f"{A1}: listens on" in smartstack(f"log {A1} service")
    log = smartstack.begin(f"log {A1} nerve -f")
    view = smartstack.begin("watch")
    view.says(rf"{A1} +service +\d+ +running")
    view.says(rf"service_a znodes +{A1}_0000000000")
    view.says(rf"service_a servers +{NETWORK}.102:8000")
    view.says(r"[1-9]\d requests since the last view, 0 of \d+ failed", 20)
    smartstack(f"crash {A1} service")
    log.says("service_a: .* up -> down")
    view.says(rf"{A1} +service +\d+ +dead")
    view.says(r"failed +[1-9]\d* .*with status 503", 20)
    os.kill(view.pid, signal.SIGINT)
    assert view.ended(10) == 130


def test_the_view_takes_no_turn_of_what_the_demo_asks(smartstack):
    """Both sent requests to one HAProxy, which used each instance in turn.
    While the view ran, the demo reported that traffic moved, although nothing
    had happened."""
    smartstack(f"up zookeeper1 {A1} {A2} {B1}")
    view = smartstack.begin("watch")
    view.says(f"service_a through {A2}: [1-9]", 20)
    os.kill(view.pid, signal.SIGINT)
    assert view.ended(10) == 130


NONSENSE = {
    "crash zookeeper2 zookeeper": "zookeeper2 is not there",
    "crash follower zookeeper": "no ZooKeeper is follower",
    "crash zookeeper1 nerve": "zookeeper1 has no nerve: zookeeper is there",
    "start zookeeper1 zookeeper": "runs already",
    f"stop {A1} nerve": "does not run: it is stopped",
    "reload zookeeper1 zookeeper": "zookeeper has no reload",
    "zk ls": "a path is missing",
    f"log {A1} nerve": "has not been started",
    "up --cluster": "it is up with one ZooKeeper",
    f"crash {C1} nerve": f"{C1} is not there: demo/smartstack new service_c",
}


def test_a_service_that_nobody_knew_is_reached_from_every_machine(smartstack):
    smartstack(f"up zookeeper1 {A1} {B1}")
    assert smartstack.run(f"call {B1} service_c").stdout.split() == [
        "failed", "1", "1", "with", "status", "404"]
    smartstack("new service_c")
    for one in (A1, B1):
        smartstack(f"wait {C1} in --at {one}")
        assert smartstack(f"call {one} service_c -n 3").split() == [
            C1, "3", "failed", "0"]
    assert "service_c has come already" in smartstack.refuses("new service_c")
    smartstack(f"reload {B1} haproxy")
    wait.until(lambda: smartstack.run(f"call {B1} service_c").returncode == 0,
               10, "it is reached after a reload")


def test_what_makes_no_sense_is_refused_with_a_sentence(smartstack):
    assert "nothing is up: demo/smartstack up starts it" in (
        smartstack.refuses("status"))
    smartstack("up zookeeper1")
    for words, message in NONSENSE.items():
        assert message in smartstack.refuses(words)


@pytest.mark.parametrize("words, wanted", [
    ("cra", ["crash"]),
    ("crash ", ["follower", "leader", A1, A2, B1, C1,
                "zookeeper1", "zookeeper2", "zookeeper3"]),
    (f"freeze {A1} ", ["haproxy", "nerve", "service"]),
    ("stop leader z", ["zookeeper"]),
    (f"health {B1} o", ["off", "on"]),
    (f"call {B1} service_b", ["service_b"]),
    ("new ", ["service_c"]),
    ("up --", ["--cluster", "--zones"]),
    ("zk s", ["stat", "status"]),
    ("nonsense x ", []),
])
def test_bash_completes(words, wanted):
    typed = ["demo/smartstack", *words.split(" ")]
    script = (". demo/completion.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# "
              "- 1)); _smartstack; printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", script, "bash", *typed], text=True,
                          cwd=program.ROOT, capture_output=True, check=True,
                          timeout=60)
    assert done.stdout.split() == wanted
