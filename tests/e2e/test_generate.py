"""synapse-haproxy-cfg makes a haproxy.cfg from a synapse.conf.json."""

import copy
import json
import os
import re
import signal
import subprocess

import pytest

import address
import program
import wait
from namespace import Namespace

PROGRAM = (program.LUA, f"{program.ROOT}/haproxy/synapse-haproxy-cfg")
DATA = f"{program.ROOT}/tests/data/synapse"


def run(*arguments, name=PROGRAM):
    """Runs it. Returns the status, the standard output and the standard
    error."""
    done = subprocess.run([*name, *arguments], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=60 * wait.FACTOR)
    return done.returncode, done.stdout, done.stderr


def sample(name):
    with open(f"{DATA}/{name}.json") as file:
        return json.load(file)


def assert_accepted(path):
    """Asserts that HAProxy accepts the file without a warning. Yelp's sample
    has a section `peers`, which must have this machine's name."""
    done = subprocess.run(["haproxy", "-c", "-L", "a", "-f", path],
                          text=True, capture_output=True,
                          timeout=60 * wait.FACTOR)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert not re.search(r"^\[(WARNING|ALERT)\]|deprecated", said, re.M), said


class Files:
    """A synapse.conf.json and the haproxy.cfg that is made from it."""

    def __init__(self, sandbox):
        self._sandbox = sandbox
        os.mkdir(sandbox.path("etc"))
        self.config = sandbox.path("etc", "synapse.conf.json")
        self.cfg = sandbox.path("etc", "haproxy.cfg")

    def write(self, value):
        self._sandbox.write("etc/synapse.conf.json", json.dumps(value))

    def make(self):
        return run("-c", self.config, "-o", self.cfg)

    def read(self):
        with open(self.cfg) as file:
            return file.read()

    def names(self):
        return sorted(os.listdir(os.path.dirname(self.cfg)))


@pytest.fixture
def files(sandbox):
    return Files(sandbox)


def configuration(**changes):
    """Returns a synapse.conf.json with one service and these changes of its
    `haproxy`."""
    return {"services": {"web": {
        "discovery": {"method": "zookeeper", "hosts": ["127.0.0.1:2181"],
                      "path": "/web"},
        "haproxy": {"port": address.port(), "listen": ["mode http"],
                    **changes}}},
        "haproxy": {"defaults": ["timeout connect 1s", "timeout client 5s",
                                 "timeout server 5s"]}}


@pytest.mark.parametrize("name", ["tutorial", "airbnb", "yelp"])
def test_haproxy_accepts_what_is_made_of_an_old_configuration(name, files):
    files.write(sample(name))
    status, _, said = files.make()
    assert status == 0, said
    assert_accepted(files.cfg)
    assert files.read().endswith("\n")
    assert run("-c", files.config)[1] == files.read()
    assert files.names() == ["haproxy.cfg", "synapse.conf.json"]


def test_lines_that_synapse_dropped_are_left_out_and_named(files):
    files.write(sample("tutorial"))
    status, _, said = files.make()
    assert status == 0, said
    assert ("services.simple_http_service.haproxy.listen[1]: `get httpchk /`: "
            "left out: unknown keyword 'get'") in said
    assert "get httpchk" not in files.read()
    assert re.search("`http-check expect string OK`: left out: .* without "
                     "'option httpchk'", said)
    assert "http-check" not in files.read()


def test_an_equal_file_is_left_alone(files):
    files.write(configuration())
    assert files.make()[::2] == (0, f"synapse-haproxy-cfg: {files.cfg}: "
                                 "written\n")
    os.chmod(files.cfg, 0o640)
    os.utime(files.cfg, (1, 1))
    assert files.make()[::2] == (0, f"synapse-haproxy-cfg: {files.cfg}: "
                                 "unchanged\n")
    assert os.stat(files.cfg).st_mtime == 1
    files.write(configuration(slots=3))
    assert files.make()[0] == 0
    assert "server-template s 1-3 " in files.read()
    assert os.stat(files.cfg).st_mode & 0o777 == 0o640


def test_a_link_to_the_file_stays_one(files, sandbox):
    real = sandbox.write("real.cfg", "old\n")
    os.symlink(real, files.cfg)
    files.write(configuration())
    assert files.make()[0] == 0
    assert os.path.islink(files.cfg)
    assert "frontend web" in files.read()


WRONG = {
    "a line that HAProxy refuses": (
        configuration(backend=["balance roundrobin", "timeout server x"]),
        r"services\.web\.haproxy\.backend\[1\]: `timeout server x`: "),
    "a keyword that HAProxy has lost": (
        configuration(listen=["mode http", "reqidel ^X-Mode:.*"]),
        r"services\.web\.haproxy\.listen\[1\]: `reqidel \^X-Mode:\.\*`: .*"
        "http-request del-header"),
    "options that HAProxy refuses": (
        configuration(server_options="chek inter 2s"),
        r"services\.web\.haproxy\.server_options: .*chek"),
    "a line of global that HAProxy refuses": (
        {**configuration(), "haproxy": {"global": ["nbproc 2"]}},
        r"haproxy\.global\[0\]: `nbproc 2`: "),
    "a backend that nobody has": (
        configuration(frontend=["use_backend other if TRUE"]),
        "unable to find required use_backend: 'other'"),
    "two frontends on one port": (
        {**configuration(bind_address="0.0.0.0", port=3212),
         "haproxy": {"extra_sections": {"listen stats :3212": []}}},
        r"services\.web\.haproxy\.port: `bind 0\.0\.0\.0:3212` overlaps with "
        r'`bind :3212` of haproxy\.extra_sections\["listen stats :3212"\]'),
    "a configuration with a mistake": (
        configuration(port=0), r"services\.web\.haproxy\.port: 0 is not a "),
    "YAML": ("services:\n  web: {}\n", "YAML is not read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_haproxy_refuses_replaces_nothing_and_is_named(
        name, files, sandbox):
    value, place = WRONG[name]
    sandbox.write("etc/haproxy.cfg", "the old one\n")
    if isinstance(value, str):
        sandbox.write("etc/synapse.conf.json", value)
    else:
        files.write(value)
    for arguments in ([], ["-o", files.cfg]):
        status, out, said = run("-c", files.config, *arguments)
        assert (status, out) == (1, "")
        assert re.search(f"^synapse-haproxy-cfg: {files.config}: .*{place}",
                         said, re.MULTILINE), said
    assert files.read() == "the old one\n"
    assert files.names() == ["haproxy.cfg", "synapse.conf.json"]


def test_a_line_of_listen_is_where_haproxy_takes_it(files):
    files.write(configuration(listen=[
        "mode http", "timeout client 7s", "timeout server 8s",
        "http-after-response set-header X-Two sides"]))
    status, _, said = files.make()
    assert status == 0, said
    frontend, backend = files.read().split("\nbackend web\n")
    assert "client 7s" in frontend and "server 8s" not in frontend
    assert "server 8s" in backend and "client 7s" not in backend
    assert "X-Two" in frontend and "X-Two" in backend


def test_a_directory_that_cannot_be_written_to_is_named(files):
    files.write(configuration())
    status, _, said = run("-c", files.config, "-o", "/nowhere/haproxy.cfg")
    assert status == 1
    assert "/nowhere/haproxy.cfg: No such file or directory" in said


def test_wrong_arguments_are_told_how_to_be_right():
    """The usage did not say which argument was wrong."""
    for arguments, why in ((["-c", "/x", "-x"], "-x is not an option"),
                           (["x"], "x is not an option"),
                           (["--help=x"], "--help=x is not an option"),
                           (["-c"], "-c needs a value"),
                           (["--config="], "--config needs a value"),
                           (["-o", "/x"], "-c FILE is missing")):
        status, out, said = run(*arguments)
        assert (status, out) == (2, "")
        assert said.startswith(f"synapse-haproxy-cfg: {why}\nUsage: "), said
    status, out, _ = run("--help")
    assert status == 0 and out.startswith("Usage: synapse-haproxy-cfg -c FILE")
    with open(f"{program.ROOT}/VERSION") as file:
        version = file.read()
    assert run("--version") == (0, f"synapse-haproxy-cfg {version}", "")


def test_the_status_page_is_where_it_is_wanted(files, sandbox):
    """A haproxy.cfg that was made this way had no status page."""
    port = address.port()
    files.write(configuration())
    status, out, said = run(f"--config={files.config}", "--output", files.cfg,
                            "--status", f"{address.HOST}:{port}")
    assert (status, out) == (0, ""), said
    proxy = sandbox.run("haproxy", ["haproxy", "-W", "-f", files.cfg])
    wait.until(lambda: page(port), 20, "the page is shown")
    assert "<html" in page(port)
    assert page(port, "Host: evil.example").count("403")
    proxy.stop(seconds=20)
    assert "lua.synapse" in run("-c", files.config)[1]
    assert "lua.synapse" not in run("-c", files.config, "-s", "none")[1]


def test_a_status_page_that_nobody_asked_for_takes_no_address(files):
    files.write(configuration(port=3214))
    status, out, said = run("-c", files.config)
    assert status == 0 and "lua.synapse" not in out
    assert re.search(r"so there is no status page: --status gives", said)
    status, _, said = run("-c", files.config, "-s", "127.0.0.1:3214")
    assert status == 1 and "--status: `bind 127.0.0.1:3214` overlaps" in said
    files.write(configuration(port=3215))
    status, _, said = run("-c", files.config, "-s", "here:there")
    assert status == 1 and "--status: `bind here:there`: " in said


def page(port, *headers):
    return subprocess.run(
        ["curl", "-s", *(word for line in headers for word in ("-H", line)),
         f"http://{address.HOST}:{port}/"], text=True, check=False,
        stdout=subprocess.PIPE, timeout=20 * wait.FACTOR).stdout


def test_it_works_where_it_is_installed(files, sandbox):
    prefix = sandbox.path("prefix")
    subprocess.run(["make", "-s", "install", f"PREFIX={prefix}"], check=True,
                   cwd=program.ROOT, stdout=subprocess.DEVNULL,
                   timeout=60 * wait.FACTOR)
    files.write(configuration())
    status, out, said = run("-c", files.config,
                            name=[f"{prefix}/bin/synapse-haproxy-cfg"])
    assert status == 0, said
    assert f"\tlua-load {prefix}/share/myelin/synapse.lua\n" in out


def test_the_tutorials_configuration_serves(sandbox, files):
    value = sample("tutorial")
    [service] = value["services"].values()
    service["discovery"]["hosts"] = ["127.0.0.1:2181"]
    service["haproxy"]["listen"].append("cookie SRV insert indirect")
    value["session_timeout"] = 3
    value["haproxy"]["global"] = [
        line.replace("/var/haproxy", "/run").replace("daemon", "nbthread 2")
        for line in value["haproxy"]["global"]]
    files.write(value)
    network = Namespace(sandbox)
    assert files.make()[0] == 0
    network.zookeeper()
    proxy = network.start("haproxy", "haproxy", "-W", "-f", files.cfg)
    for number in (1, 2):
        register(network, sandbox, number)
    wait.until(lambda: answers(network) == {"a1", "a2"}, 20,
               "both are served in turn")

    head = network.output("curl", "-si", "http://127.0.0.1:3213/")
    [cookie] = re.findall(r"(?im)^set-cookie: (SRV=\w+)", head)
    served = {network.output("curl", "-sb", cookie, "http://127.0.0.1:3213/")
              for _ in range(8)}
    assert len(served) == 1
    assert "simple_http_service" in network.output(
        "curl", "-s", "http://127.0.0.1:3212/")

    # With one more service the file is made again and HAProxy reloaded.
    value["services"]["more"] = copy.deepcopy(service)
    value["services"]["more"]["haproxy"]["port"] = 3214
    files.write(value)
    assert files.make()[0] == 0
    proxy.send(signal.SIGUSR2)
    for port in (3213, 3214):
        wait.until(lambda at=port: network.fetch(at) in ("a1", "a2"), 20,
                   f"the old and the new service are served: {port}")


def register(network, sandbox, number):
    """Registers one of the tutorial's services with a nerve."""
    with open(f"{program.ROOT}/tests/data/nerve/tutorial.json") as file:
        value = json.load(file)
    [service] = value["services"].values()
    service.update(host="127.0.0.1", port=8000 + number, check_interval=0.2,
                   zk_hosts=["127.0.0.1:2181"])
    service["checks"][0]["uri"] = "/"
    value.update(instance_id=f"service_a_node_{number}", session_timeout=3)
    network.service(f"a{number}", 8000 + number)
    network.start(f"nerve{number}", program.NERVE, "-c", sandbox.write(
        f"nerve{number}.json", json.dumps(value)))


def answers(network):
    return {network.fetch(3213) for _ in range(6)}
