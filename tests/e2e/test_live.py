"""synapse.conf.json and its service_conf_dir are followed while HAProxy runs:
in a chroot, as HAProxy's user, with two threads."""

import json
import os
import re
import subprocess

import pytest

import preload
import program
import wait
from haproxy import web
from status import Status
from zookeeper import register


# Every inotify instance of the user is taken.
DEAF = """
#include <errno.h>
int inotify_init1(int flags) { (void)flags; errno = EMFILE; return -1; }
"""


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


@pytest.fixture
def two(sandbox):
    return sandbox.service("two")


# Where all instances give way to others at once: of a lone one the slot may be
# the other's, and no request can be served between the two.
@pytest.fixture
def others(sandbox):
    return [sandbox.service(name) for name in ("three", "four")]


class Site:
    """A HAProxy with the backends web, api and spare. The services are those
    of the first two, until a test says otherwise."""

    def __init__(self, sandbox, healthy, witness, path, directory=False):
        self.path = path
        self.client = witness
        self.backends = {name: web(healthy, f"{path}/{name}", name=name)
                         for name in ("web", "api", "spare")}
        self.services = {name: self.backends[name].configuration()
                         for name in ("web", "api")}
        self.proxy = sandbox.haproxy(list(self.backends.values()),
                                     start=False, status=True,
                                     synapse={"runtime_changes": True})
        self.directory = self.proxy._path("services.d") if directory else None
        with open(self.proxy.synapse_file) as file:
            self.rest = json.load(file)
        if directory:
            os.mkdir(self.directory)
            self.rest["service_conf_dir"] = self.directory
        self.rest["services"] = {}
        self.write()
        self.proxy.start()

    def register(self, service, name="web", path=None):
        register(self.client, path or f"{self.path}/{name}",
                 service.payload(service.name))

    def write(self):
        """Writes the services: all into the file, or each into its own."""
        if not self.directory:
            return self.rename(json.dumps(
                {**self.rest, "services": self.services}))
        for name in os.listdir(self.directory):
            if name.partition(".")[0] not in self.services:
                os.unlink(os.path.join(self.directory, name))
        for name, service in self.services.items():
            self.rename(json.dumps(service),
                        os.path.join(self.directory, f"{name}.json"))
        return self.rename(json.dumps(self.rest))

    def rename(self, text, path=None):
        """As editors and package managers do it."""
        path = path or self.proxy.synapse_file
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def names(self):
        told = json.loads(self.proxy.ask("show synapse json"))
        return [it["service"] for it in told["services"]]

    def has(self, *names):
        wait.until(lambda: self.names() == list(names), 10,
                   f"the services are {names}")

    def metric(self, name):
        text = Status(self.proxy).ask("/metrics")[1]
        [line] = [line for line in text.splitlines()
                  if line.startswith(name + " ")]
        return float(line.split()[1])

    def reads(self, cause):
        return self.metric(
            f'synapse_configuration_reads_total{{by="{cause}"}}')

    def follows(self):
        """Changes a service until the kernel was first to tell of a change: on
        a slow machine the agent may look at the files before."""
        assert not self.proxy.process.lines("inotify: "), (
            "other programs have taken all inotify instances of this user: "
            "sysctl fs.inotify.max_user_instances")
        path = self.directory and os.path.join(self.directory, "web.json")
        for number in range(20):
            read = self.reads("inotify") + self.reads("polling")
            self.services["web"]["max_instances"] = 10 + number
            self.rename(json.dumps(
                self.services["web"] if path else
                {**self.rest, "services": self.services}), path)
            wait.until(lambda: self.reads("inotify") + self.reads("polling") >
                       read, 10, "the change is read")
            if self.reads("inotify") > 0:
                return
        raise AssertionError("no change was read because the kernel told")

    def reload(self):
        return self.proxy.ask("synapse reload").strip()


def in_backend(service, name):
    return {**service, "haproxy": {**service["haproxy"],
                                   "backend_name": name}}


@pytest.fixture
def site(sandbox, healthy, witness, path):
    return Site(sandbox, healthy, witness, path)


def test_another_path_is_followed_and_no_request_fails(
        sandbox, site, one, two, others):
    for it in (one, two):
        site.register(it)
    for it in others:
        site.register(it, path=f"{site.path}/moved")
    site.proxy.serves([one, two])
    with sandbox.load(site.proxy, "another path") as load:
        load.settle()
        site.services["web"]["discovery"]["path"] = f"{site.path}/moved"
        site.write()
        site.proxy.serves(others)
        load.settle(50)
    load.assert_none_failed()
    site.proxy.process.says(r"web: discovery\.path applied")


def test_a_path_that_is_not_there_yet_takes_nothing_away(
        sandbox, site, one, two, others):
    for it in (one, two):
        site.register(it)
    site.proxy.serves([one, two])
    with sandbox.load(site.proxy, "a path that is not there yet") as load:
        load.settle()
        site.services["web"]["discovery"]["path"] = f"{site.path}/later"
        site.write()
        site.proxy.process.says(r"/later: no such znode")
        load.settle(50)
        for it in others:
            site.register(it, path=f"{site.path}/later")
        site.proxy.serves(others)
        load.settle(50)
    load.assert_none_failed()


def test_a_service_leaves_and_comes_back_beside_another(
        sandbox, site, one, two):
    site.register(one)
    site.register(two, "api")
    site.proxy.serves([one])
    site.proxy.serves([two], "api")
    api = site.services["api"]
    with sandbox.load(site.proxy, "another service leaves and comes"
                      ) as load:
        for _ in range(3):
            del site.services["api"]
            site.write()
            site.has("web")
            site.proxy.serves([], "api")
            site.services["api"] = api
            site.write()
            site.has("api", "web")
            site.proxy.serves([two], "api")
        load.settle()
    load.assert_none_failed()
    assert site.proxy.get(port=site.backends["api"].port) == (200, "two")


def test_another_name_with_zookeeper_down_takes_no_instance_away(
        sandbox, path, one, two):
    server = sandbox.zookeeper()
    site = Site(sandbox, server, server.client(), path)
    for it in (one, two):
        site.register(it)
    site.proxy.serves([one, two])
    server.stop()
    site.services["www"] = in_backend(site.services.pop("web"), "web")
    site.write()
    site.has("api", "www")
    site.proxy.serves([one, two])
    assert site.proxy.get()[0] == 200


def test_an_operators_maint_moves_to_another_backend(site, one, two):
    for it in (one, two):
        site.register(it)
    site.proxy.serves([one, two])
    assert "is maint in web" in site.proxy.ask(
        f"synapse maint {one.address} reason disk")
    site.services["web"] = in_backend(site.services["web"], "spare")
    site.write()
    site.proxy.serves([two], "spare")
    site.proxy.serves([])
    wait.until(lambda: Status(site.proxy).states() == {
        one.address: "maint", two.address: "ready"}, 10, "one is in maint")


def test_most_services_leave_by_command_only(site, one):
    site.register(one)
    site.services["spare"] = site.backends["spare"].configuration()
    site.write()
    site.has("api", "spare", "web")
    site.proxy.serves([one])
    site.services = {}
    site.write()
    site.proxy.process.says(r"3 of 3 services would leave \(api, spare, web\)")
    site.has("api", "spare", "web")
    site.proxy.serves([one])
    site.reload()
    site.has()


def test_a_new_service_is_served_where_its_backend_is_there(
        sandbox, site, one, two):
    site.register(one)
    site.register(two, "spare")
    site.proxy.serves([one])
    with sandbox.load(site.proxy, "a new service") as load:
        load.settle()
        site.services["spare"] = site.backends["spare"].configuration()
        site.write()
        site.proxy.serves([two], "spare")
        load.settle()
    load.assert_none_failed()
    site.has("api", "spare", "web")
    wait.until(lambda: Status(site.proxy).states("spare") ==
               {two.address: "ready"}, 10, "the agent knows it")
    site.services["other"] = {
        **site.services["spare"], "haproxy": {"backend_name": "other"}}
    site.write()
    site.proxy.process.says(
        r"other: needs a reload: backend other is not in HAProxy's "
        r"configuration; .*; and reload HAProxy")
    assert site.metric("synapse_configuration_reload_needed") == 1
    site.has("api", "spare", "web")


def test_a_wrong_file_changes_nothing_until_it_is_mended(sandbox, site, one):
    site.register(one)
    site.proxy.serves([one])
    with sandbox.load(site.proxy, "a wrong file") as load:
        load.settle()
        good = dict(site.services)
        del site.services["api"]
        site.services["web"] = {**good["web"], "max_instances": "many"}
        site.write()
        site.proxy.process.says(r"services\.web\.max_instances: .*; nothing "
                                r"is changed")
        assert site.metric("synapse_configuration_errors") == 1
        assert "services.web.max_instances" in site.proxy.ask("show synapse")
        assert any(
            "services.web.max_instances" in trouble for trouble in
            Status(site.proxy).json("/status.json")["troubles"])
        site.has("api", "web")
        site.rename("{")
        assert "line 1, column 2" in site.reload()
        assert len(site.proxy.process.lines(
            r"^synapse: .*max_instances")) == 1
        site.services = good
        site.write()
        site.proxy.process.says("has no mistake any more")
        assert site.metric("synapse_configuration_errors") == 0
        load.settle()
    load.assert_none_failed()


def test_a_reload_by_command_answers_with_what_it_did(site, one, two):
    site.register(one)
    site.proxy.serves([one])
    assert site.reload().endswith("is what is served already")
    del site.services["api"]
    site.services["web"]["max_instances"] = 7
    site.services["web"]["haproxy"]["port"] = 1234
    site.rest["session_timeout"] = 30
    site.write()
    lines = site.reload().splitlines()
    assert lines[0].startswith("session_timeout: needs a reload: ")
    # The agent may have seen the file by itself before it was asked.
    assert re.match("web: (max_instances applied; )?needs a reload: "
                    "haproxy.port, ", lines[-1])
    site.proxy.process.says("api: leaves; its slots are emptied")
    site.proxy.process.says("web: max_instances applied")
    told = json.loads(site.proxy.ask("synapse reload json"))
    assert told["result"] == "pending"
    assert len(told["message"].splitlines()) == 2
    site.register(two)
    site.proxy.serves([one, two])


def test_files_of_a_directory_are_followed(
        sandbox, healthy, witness, path, one, two):
    site = Site(sandbox, healthy, witness, path, directory=True)
    site.register(one)
    site.register(two, "spare")
    site.proxy.serves([one])
    with sandbox.load(site.proxy, "many files of a directory") as load:
        load.settle()
        for number in range(200):
            site.services[f"base{number}"] = {
                "discovery": {"method": "base"},
                "default_servers": [{"host": "127.0.0.1", "port": 1}],
                "haproxy": {"backend_name": f"base{number}"}}
        site.services["spare"] = site.backends["spare"].configuration()
        del site.services["api"]
        site.write()
        site.proxy.serves([two], "spare")
        site.has("spare", "web")
        wait.until(lambda: site.metric(
            "synapse_configuration_reload_needed") == 200, 10,
            "each service without a backend is told")
        load.settle()
    load.assert_none_failed()


@pytest.mark.parametrize("directory", [False, True])
def test_a_change_is_read_because_the_kernel_tells(
        directory, sandbox, healthy, witness, path):
    """The agent looked at the files every 0.7 s and once more 0.2 s later, so
    that a new service was served after a second."""
    site = Site(sandbox, healthy, witness, path, directory=directory)
    site.follows()
    fresh = site.proxy.reload()
    wait.until(lambda: site.proxy.workers() == [fresh], 10, "one is left")
    site.follows()


def test_where_the_kernel_cannot_tell_the_agent_looks(sandbox, site):
    library = preload.environment(sandbox, "deaf", DEAF)["LD_PRELOAD"]
    site.proxy.stop()
    site.proxy.command = ["env", f"LD_PRELOAD={library}",
                          *site.proxy.command]
    site.proxy.start()
    site.proxy.process.says(r"inotify: .*: Too many open files .*; changes "
                            r"of files are noticed within a second")
    del site.services["api"]
    site.write()
    site.has("web")
    assert site.reads("polling") > 0
    assert site.reads("inotify") == 0


def test_a_file_that_only_root_may_read_is_told_once(site, one):
    site.register(one)
    site.proxy.serves([one])
    os.chmod(site.proxy.synapse_file, 0o600)
    assert "cannot be read by HAProxy's user: Permission denied" in \
        site.reload()
    site.reload()
    assert len(site.proxy.process.lines(
        "^synapse: .*cannot be read by HAProxy")) == 1
    assert site.metric("synapse_configuration_errors") == 0
    site.proxy.serves([one])


def test_synapsectl_reloads_and_says_whether_all_is_applied(site):
    def run():
        done = subprocess.run(
            [program.LUA, f"{program.ROOT}/haproxy/synapsectl",
             "-s", site.proxy.socket, "reload"],
            text=True, capture_output=True, timeout=30 * wait.FACTOR)
        return done.returncode, done.stdout + done.stderr

    assert run()[0] == 0
    site.rest["session_timeout"] = 30
    site.write()
    status, text = run()
    assert status == 3 and "session_timeout: needs a reload" in text
    site.rename("[1]")
    assert run()[0] == 1
