"""The packages from installation to purge, in a Debian that systemd has
booted: units, journal, sandbox, watchdog and upgrade are the real ones."""

import json
import re
import shutil
import subprocess
import sys

import pytest

import packages
import service
import wait
from debian import Debian, base
from load import Load
from namespace import ZOO_CFG
from packages import NAMES, depends
from zookeeper import JAVA, Clients, births, children

LATER = f"{packages.version_here()}.1"
HAPROXY, NERVE = "haproxy.service", "nerve.service"
ZNODES = "/nerve/services/web/services"
SERVICE, FRONTEND, PAGE = 8000, 3213, 3214
WATCHDOG_SECONDS = 3
# systemd's score of what a service may still do, in tenths; 0 is nothing.
EXPOSURE = 20

USERS = tuple(f"/etc/{name}" for name in (
    "group", "gshadow", "passwd", "shadow"))
# What remains changed after a purge: the user, the backups of the files with
# users, and dpkg's own database.
LEFT = {*USERS, *(f"{name}-" for name in USERS), "/var/log/dpkg.log",
        "/var/lib/dpkg/status-old"}


@pytest.fixture(scope="module")
def debs(shared):
    """The packages of this version, by their names."""
    return packages.build(shared.path("systemd-debs"),
                          packages.version_here())


@pytest.fixture(scope="module")
def newer(shared):
    """The same packages with a later version."""
    return packages.build(shared.path("systemd-newer"), LATER)


@pytest.fixture
def debian(sandbox, debs):
    """A Debian with the packages' dependencies and nothing else. HAProxy runs
    with Debian's configuration."""
    needed = set().union(*map(depends, debs.values()))
    return Debian(sandbox, base({name.split(" | ")[0] for name in needed}))


def install(debian, debs):
    """Installs packages as apt does after it has downloaded them."""
    folder = f"{debian.root}/run"
    debian.output("dpkg", "-i", *(
        shutil.copy(deb, folder).removeprefix(debian.root)
        for deb in debs.values()))


def add_the_sample(root):
    """Follows the comment in synapse.cfg: removes each `#`, and adds the
    service that it shows to synapse.conf.json."""
    folder = f"{root}/etc/haproxy"
    with open(f"{folder}/synapse.cfg") as file:
        text = file.read()
    shown = re.search(r'^# {3}"services": (\{\n.*?^# {3}\}),$', text,
                      re.M | re.S)[1]
    with open(f"{folder}/synapse.conf.json") as file:
        settings = json.load(file)
    assert settings["services"] == {}
    settings["services"] = json.loads(re.sub(r"^#", "", shown, flags=re.M))
    with open(f"{folder}/synapse.conf.json", "w") as file:
        json.dump(settings, file)
    with open(f"{folder}/synapse.cfg", "w") as file:
        before, frontend, sample = text.partition("#frontend ")
        file.write(before + re.sub("^#", "", frontend + sample, flags=re.M))


def serve(sandbox):
    """Starts a ZooKeeper and the service in this thread's network. Returns a
    client."""
    file = sandbox.write("zoo.cfg", ZOO_CFG.format(sandbox.path("data")))
    sandbox.run("zookeeper", [*JAVA, file])
    sandbox.run("service", [sys.executable, service.__file__, "one",
                            "127.0.0.1", str(SERVICE)])
    clients = Clients("127.0.0.1:2181")
    sandbox.at_end(clients.close)
    return clients.client()


def fetch(port, path="/"):
    """Returns the body of an answer; empty if there is none."""
    return subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}{path}"],
                          text=True, stdout=subprocess.PIPE, check=False,
                          timeout=20 * wait.FACTOR).stdout


def wait_for_version(debian, version):
    """Waits until both programs have that version and work."""
    debian.says(NERVE, f"nerve {version} ")
    wait.until(lambda: f'"version":"{version}"' in fetch(
        PAGE, "/status.json").replace(" ", ""), 20, "the agent is of it")
    wait.until(lambda: fetch(FRONTEND) == "one", 20, "requests are answered")


def pids(debian):
    return [debian.show(unit, "MainPID") for unit in (HAPROXY, NERVE)]


def users_of(debian):
    """Returns the files of users and groups without the lines about nerve."""
    return debian.output("grep", "-v", "^nerve:", *USERS)


def test_both_live_in_a_minimal_debian_and_nothing_of_them_is_left(
        sandbox, debian, debs, newer):
    files, users = debian.files(), users_of(debian)
    install(debian, debs)
    with debian.network():
        assert not fetch(PAGE)  # the agent waits for the operator
        add_the_sample(debian.root)
        debian.output("systemctl", "restart", HAPROXY)
        client = serve(sandbox)
        wait_for_version(debian, packages.version_here())
        running = pids(debian)
        born = births(client, ZNODES)
        with Load("127.0.0.1", FRONTEND) as load:
            load.settle(120)
            debian.output("systemctl", "reload", HAPROXY, NERVE)
            debian.says(NERVE, "reloaded as")
            load.settle(120)
            install(debian, newer)
            wait_for_version(debian, LATER)
            load.settle(120)
        load.assert_none_failed()
        # The upgrade kept the processes and the session.
        assert births(client, ZNODES) == born != {}
        assert pids(debian) == running
        assert debian.show(NERVE, "NRestarts") == "0"
        debian.output("dpkg", "--purge", *NAMES)
        assert debian.show(NERVE, "ActiveState") != "active"
        assert not children(client, ZNODES)
    debian.output("systemctl", "restart", HAPROXY)
    left = {name for name, _ in files.items() ^ debian.files().items()}
    assert left <= LEFT, " ".join(sorted(left - LEFT))
    assert users_of(debian) == users


def test_the_rights_of_nerve_are_those_of_its_unit(debian, debs):
    install(debian, debs)
    debian.output("systemctl", "start", NERVE)
    pid = debian.show(NERVE, "MainPID")
    status = dict(re.findall(r"(\w+):\s+(\S+)",
                             debian.output("cat", f"/proc/{pid}/status")))
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert {status[f"Cap{kind}"] for kind in ("Bnd", "Eff", "Prm")} == {
        "0000000000000000"}
    assert status["Uid"] != "0"
    inside = ["nsenter", f"--target={pid}", "--mount", "--", "sh", "-c"]
    for place in ("/usr", "/etc", "/home", "/var/log"):
        assert debian.output(*inside, f"touch {place}/mark 2>/dev/null ||"
                             " echo refused") == "refused\n", place
    # As nerve's own user, because root may read everything.
    assert debian.output(*inside, "setpriv --reuid=nerve --regid=nerve "
                         "--clear-groups ls /home 2>&1 || echo hidden"
                         ).endswith("hidden\n")
    debian.output("systemd-analyze", "security", f"--threshold={EXPOSURE}",
                  NERVE)


def test_a_nerve_that_hangs_is_ended_by_the_watchdog_and_starts_again(
        sandbox, debian, debs):
    install(debian, debs)
    folder = f"/etc/systemd/system/{NERVE}.d"
    debian.output("mkdir", folder)
    debian.output("tee", f"{folder}/watchdog.conf",
                  input=f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}\n")
    debian.output("systemctl", "daemon-reload")
    debian.output("systemctl", "restart", NERVE)
    with debian.network():
        client = serve(sandbox)
        wait.until(lambda: children(client, ZNODES), 20, "it is registered")
        pid = debian.show(NERVE, "MainPID")
        debian.output("kill", "-STOP", pid)
        wait.until(lambda: debian.show(NERVE, "MainPID") not in ("0", pid),
                   WATCHDOG_SECONDS + 20, "it is another process")
        assert debian.show(NERVE, "NRestarts") == "1"
        assert "watchdog" in debian.output(
            "journalctl", "--quiet", f"--unit={NERVE}").lower()
        wait.until(lambda: children(client, ZNODES), 30, "registered again")


def test_a_start_that_cannot_be_says_why_in_the_journal(debian, debs):
    install(debian, debs)
    debian.output("sed", "-i", 's/"port": 8000/"port": 0/',
                  "/etc/nerve/nerve.conf.json")
    debian.output("sh", "-c", f"! systemctl restart {NERVE}")
    debian.says(NERVE, "services.web.port: 0 is not a port (1 to 65535)")
