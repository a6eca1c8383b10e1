"""The Debian packages: what lintian says about them, their contents, and what
their maintainer scripts do. test_systemd.py runs them under systemd."""

import os
import re
import shutil
import sys

import pytest

import packages
import program
import wait
from debian import release
from namespace import Namespace
from packages import NAMES, depends, files_of, run

LUA_FILES = f"/usr/share/lua/{program.LUA_VERSION}"
# The directory for units of this Debian's debhelper; from 13 on it is below
# /usr.
UNITS = "/lib/systemd/system" if release() == "bookworm" else \
    "/usr/lib/systemd/system"
SCRIPTS = ("postinst", "postrm", "prerm")

# Commands of the scripts that would change this machine; each does nothing
# here.
FAKES = ("deb-systemd-helper", "systemd-sysusers")
FAKE = "#!/bin/sh\n"


@pytest.fixture(scope="module")
def debs(shared):
    """The packages of this version, by their names."""
    return packages.build(shared.path("debs"), packages.version_here())


@pytest.fixture(scope="module")
def unpacked(shared, debs):
    """The files of both packages in one directory; each one's control files
    are in DEBIAN/NAME."""
    target = shared.path("unpacked")
    os.makedirs(f"{target}/DEBIAN")
    for name, deb in debs.items():
        run("dpkg-deb", "-x", deb, target)
        run("dpkg-deb", "-e", deb, f"{target}/DEBIAN/{name}")
    return target


@pytest.fixture
def network(sandbox, unpacked):
    """A namespace in which the packages are installed over this machine, with
    a user nerve that no other process of this machine uses."""
    made = Namespace(sandbox)
    for name in FAKES:
        os.chmod(sandbox.write(name, FAKE), 0o755)
    uid = 2000000 + os.getpid()
    with open("/etc/passwd") as file:
        others = re.sub(r"(?m)^nerve:.*\n", "", file.read())
    users = sandbox.write("passwd", f"{others}nerve:x:{uid}:{uid}::/:/bin/sh\n")
    layers = [f"mount -t overlay none -o lowerdir={unpacked}/{folder}:/{folder}"
              f" /{folder}" for folder in ("etc", "usr")]
    shown = made.output("sh", "-ec", "; ".join(
        [*layers, f"mount --bind {users} /etc/passwd", "echo mounted"]))
    assert shown == "mounted\n"
    return made


# Five haproxy.cfg files that work before the packages are installed.
BEFORE = f"{program.ROOT}/tests/data/haproxy"
CONFIGURATIONS = ("web", "tcp", "lua", "checks", "tables")
PAGE = "http://127.0.0.1:3214"
SEEN = """
global
    stats socket /run/seen.sock mode 600 level admin
"""


class Machine:
    """A machine with a haproxy.cfg, on which the packages are installed, in a
    namespace with a writable /etc."""

    def __init__(self, sandbox, unpacked, name):
        self.namespace = Namespace(sandbox)
        self._unpacked = unpacked
        etc = sandbox.path("etc")
        os.makedirs(f"{etc}/haproxy")
        shutil.copy(f"{BEFORE}/{name}.cfg", f"{etc}/haproxy/haproxy.cfg")
        shutil.copy(f"{BEFORE}/own.lua", f"{etc}/haproxy/own.lua")
        sandbox.write("etc/haproxy/seen.cfg", SEEN)
        self._run(f"""
            install -d /run/haproxy /run/upper /run/work /var/lib/haproxy
            mount -t overlay none -o lowerdir={etc}:{unpacked}/etc:/etc,""" +
                  "upperdir=/run/upper,workdir=/run/work /etc")

    def _run(self, script):
        shown = self.namespace.output("sh", "-ec", f"{script}\necho done")
        assert shown.endswith("done\n"), script

    def install(self):
        """Puts the package's files where dpkg would, and configures it.
        Returns what that prints."""
        self._run("mount -t overlay none -o "
                  f"lowerdir={self._unpacked}/usr:/usr /usr")
        shown = self.namespace.output(
            "sh", "-c", '"$@" 2>&1 && echo configured', "sh",
            f"{self._unpacked}/DEBIAN/haproxy-synapse/postinst", "configure")
        assert shown.endswith("configured\n"), shown
        return shown

    def remove(self):
        self._run("umount --lazy /usr; rm /etc/haproxy/synapse.*")

    def start(self, *files):
        """Starts HAProxy as haproxy.service does, with the file that gives the
        status of its options."""
        names = [f"/etc/haproxy/{name}.cfg"
                 for name in ("haproxy", *files, "seen")]
        process = self.namespace.start(
            f"haproxy{len(files)}", "haproxy", "-Ws",
            *(word for name in names for word in ("-f", name)))
        wait.until(lambda: process.alive() and self.info(), 20,
                   "HAProxy answers")
        return process

    def info(self):
        shown = self.namespace.output("socat", "-", "/run/seen.sock",
                                      input="show info\n")
        return dict(line.split(": ", 1) for line in shown.splitlines()
                    if ": " in line)

    def status(self, url, *options):
        return self.namespace.output(
            "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *options,
            url)


def documents():
    return {f"{folder}/{name}" for folder in ("haproxy", "lua", "nerve")
            for name in os.listdir(f"{program.ROOT}/{folder}")
            if name.endswith(".md")}


def lua_files():
    for folder, _, names in os.walk(f"{program.ROOT}/lua/synapse"):
        place = os.path.relpath(folder, f"{program.ROOT}/lua")
        yield from (f"{LUA_FILES}/{place}/{name}" for name in names
                    if name.endswith(".lua"))


def test_lintian_has_no_error_and_no_warning(debs):
    shown = run("lintian", "--fail-on", "error,warning", "--allow-root",
                *debs.values())
    assert not re.search("^[EW]:", shown, re.M), shown


def test_what_the_readme_installs_are_the_two_packages(debs):
    """`apt install ./build/deb/*.deb` also installed the packages with debug
    symbols."""
    folder = os.path.dirname(debs["nerve"])
    assert {f"{folder}/{name}" for name in os.listdir(folder)
            if name.endswith(".deb")} == set(debs.values())
    assert {name.split("_")[0] for name in os.listdir(f"{folder}/debug")} == {
        f"{name}-dbgsym" for name in NAMES}


def test_each_override_of_lintian_has_its_reason():
    folder = f"{program.ROOT}/haproxy/debian"
    for name in os.listdir(folder):
        if name.endswith("lintian-overrides"):
            with open(f"{folder}/{name}") as file:
                lines = file.read().splitlines()
            for before, line in zip(["", *lines], lines):
                assert line.startswith("#") or before.startswith("# "), line


def test_haproxy_synapse_has_the_agent_and_what_it_needs(debs):
    deb = debs["haproxy-synapse"]
    wanted = {
        "/usr/bin/synapse-haproxy-cfg", "/usr/bin/synapsectl",
        f"/usr/lib/lua/{program.LUA_VERSION}/zookeeper.so",
        "/usr/share/myelin/synapse.lua", "/usr/share/myelin/status.html",
        "/usr/share/myelin/alerts.yml", "/usr/share/myelin/grafana.json",
        "/etc/haproxy/synapse.cfg", "/etc/haproxy/synapse.conf.json",
        "/usr/lib/systemd/system/haproxy.service.d/synapse.conf",
        "/usr/lib/tmpfiles.d/haproxy-synapse.conf",
        "/usr/share/bash-completion/completions/synapse-haproxy-cfg",
        "/usr/share/bash-completion/completions/synapsectl",
        "/usr/share/man/man1/synapse-haproxy-cfg.1.gz",
        "/usr/share/man/man1/synapsectl.1.gz",
        "/usr/share/man/man5/synapse.conf.5.gz", *lua_files(),
        *(f"/usr/share/myelin/doc/{name}" for name in documents())}
    found = files_of(deb)
    assert {name for name in found
            if not name.startswith("/usr/share/doc/")} == wanted
    assert " ./usr/share/doc/haproxy-synapse/doc -> ../../myelin/doc\n" in run(
        "dpkg-deb", "-c", deb)
    assert {"lua-cjson", "lua-posix", program.LUA, "libseccomp2",
            "libzookeeper-mt2"} <= depends(deb)
    # dpkg had the drop-in file in place, but not yet synapse.cfg, which it
    # names, when it started a HAProxy that came in the same run.
    assert depends(deb, "Pre-Depends") == {"haproxy"}


def test_nerve_has_its_unit_its_user_and_its_pages(debs):
    deb = debs["nerve"]
    found = files_of(deb)
    assert {name for name in found
            if not name.startswith(("/usr/share/doc/", "/usr/share/lint"))} == {
        "/usr/bin/nerve", "/etc/nerve/nerve.conf.json",
        f"{UNITS}/nerve.service", "/usr/lib/sysusers.d/nerve.conf",
        "/usr/share/bash-completion/completions/nerve",
        "/usr/share/man/man8/nerve.8.gz", "/usr/share/man/man5/nerve.conf.5.gz",
        "/usr/share/man/man1/nerve-ctl.1.gz"}
    # Debian 13's names of the packages whose time_t has grown.
    needed = {name.removesuffix("t64") for name in depends(deb)}
    assert {"libjansson4", "libmicrohttpd12", "libuv1", "libzookeeper-mt2",
            "systemd | systemd-standalone-sysusers | systemd-sysusers"
            } <= needed
    assert not [name for name in needed if name.startswith("haproxy")]


def test_what_an_operator_edits_is_a_conffile(debs, unpacked):
    for name, deb in debs.items():
        with open(f"{unpacked}/DEBIAN/{name}/conffiles") as file:
            assert set(file.read().split()) == {
                one for one in files_of(deb) if one.startswith("/etc/")}


def test_the_unit_of_nerve_reloads_by_hup_and_runs_what_is_packaged(unpacked):
    with open(f"{unpacked}{UNITS}/nerve.service") as file:
        unit = file.read()
    assert "ExecReload=kill -HUP $MAINPID\n" in unit
    assert "ExecStart=/usr/bin/nerve -c /etc/nerve/nerve.conf.json\n" in unit


def test_the_maintainer_scripts_are_clean(unpacked):
    scripts = [f"{unpacked}/DEBIAN/{name}/{script}"
               for name in NAMES for script in SCRIPTS]
    here = [script for script in scripts if os.path.exists(script)]
    assert len(here) == 5
    run("shellcheck", *here)


def run_script(sandbox, network, script, *arguments):
    """Runs a maintainer script as on a machine without systemd."""
    shown = network.output(
        "env", f"PATH={sandbox.directory}:{os.environ['PATH']}", "sh", "-c",
        '"$@" 2>&1 && echo succeeded', "sh", script, *arguments)
    assert shown.endswith("succeeded\n"), shown


def test_without_systemd_a_running_nerve_goes_on_in_the_same_process(
        sandbox, network, unpacked):
    network.output("install", "-d", "-o", "nerve", "/run/nerve",
                   "/var/lib/nerve")
    nerve = network.start("nerve", "setpriv", "--reuid=nerve",
                          "--clear-groups", "/usr/bin/nerve", "-c",
                          "/etc/nerve/nerve.conf.json")
    nerve.says("nerve")
    postinst = f"{unpacked}/DEBIAN/nerve/postinst"
    run_script(sandbox, network, postinst, "configure")
    assert not nerve.lines("goes on as")
    run_script(sandbox, network, postinst, "configure", "1")
    nerve.says("goes on as", 20)
    assert nerve.alive()


def test_a_purge_takes_what_was_written_at_run_time(
        sandbox, network, unpacked):
    for name, place in zip(NAMES, ("/var/lib/synapse", "/var/lib/nerve")):
        network.output("mkdir", "-p", f"{place}/deep")
        postrm = f"{unpacked}/DEBIAN/{name}/postrm"
        run_script(sandbox, network, postrm, "remove")
        assert network.output("ls", place) == "deep\n"
        run_script(sandbox, network, postrm, "purge")
        assert network.output("sh", "-c", f"test -e {place} || echo gone")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_haproxy_that_worked_before_works_as_before(name, sandbox, unpacked):
    """The packages once had a `backend web`, so a HAProxy that already had one
    did not start any more, and they set `nbthread 2` for everybody. Here
    HAProxy is started before the installation, after it, and after the
    removal."""
    machine = Machine(sandbox, unpacked, name)
    for port in (8000, 8001):
        machine.namespace.service("one", port)
    before = machine.start()
    serves_one(machine)
    info = machine.info()
    before.stop(seconds=20)

    assert "HAProxy accepts its configuration" in machine.install()
    during = machine.start("synapse")
    serves_one(machine)
    assert machine.info()["Nbthread"] == info["Nbthread"]
    # The agent's sockets need descriptors, so a limit that HAProxy derives
    # from their number is slightly lower.
    assert int(info["Maxconn"]) - int(machine.info()["Maxconn"]) < 10
    # From HAProxy 2.9 on the agent's own lines go only to /dev/log.
    wait.until(lambda: machine.status(f"{PAGE}/ready") == "200", 20,
               "the agent is ready")
    assert not during.lines("already specified")
    during.stop(seconds=20)

    machine.remove()
    machine.start()
    serves_one(machine)


def serves_one(machine):
    wait.until(lambda: machine.namespace.fetch(8080) == "one", 20,
               "a request is answered")


def test_the_status_page_is_robust_where_defaults_are_for_tcp(
        sandbox, unpacked):
    """A browser may be made to ask 127.0.0.1 under another site's name (DNS
    rebinding); a client may never finish its request."""
    machine = Machine(sandbox, unpacked, "tcp")
    machine.install()
    machine.start("synapse")
    for host, status in (("127.0.0.1:3214", "200"), ("localhost", "200"),
                         ("10.0.0.7:3214", "200"), ("evil.example", "403"),
                         ("127.0.0.1.evil.example:3214", "403")):
        assert machine.status(PAGE, "-H", f"Host: {host}") == status, host
    shown = machine.namespace.output(
        "timeout", "20", "socat", "STDIO,ignoreeof", "TCP:127.0.0.1:3214",
        input="GET / HTTP/1.1\r\n")
    assert "408" in shown


# HAProxy's stderr is a socket, which JOURNAL_STREAM names, and /dev/log is
# another.
JOURNAL = """
import os, signal, socket, subprocess, sys, threading
for name in ("null", "urandom", "random", "zero"):
    open(f"/run/dev/{name}", "w").close()
    subprocess.run(["mount", "--bind", f"/dev/{name}", f"/run/dev/{name}"],
                   check=True)
syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
syslog.bind("/run/dev/log")
os.chmod("/run/dev/log", 0o666)
subprocess.run(["mount", "--rbind", "/run/dev", "/dev"], check=True)
ours, stderr = socket.socketpair()
info = os.fstat(stderr.fileno())
environment = {**os.environ,
               "JOURNAL_STREAM": f"{info.st_dev}:{info.st_ino}"}
haproxy = subprocess.Popen(sys.argv[1:], stderr=stderr, env=environment)
stderr.close()
signal.signal(signal.SIGTERM, lambda *_: haproxy.terminate())

def listen():
    while True:
        print("syslog", syslog.recv(4096).decode(), flush=True)

threading.Thread(target=listen, daemon=True).start()
while data := ours.recv(65536):
    for line in data.decode().splitlines():
        print("stderr", line, flush=True)
"""


def test_each_line_of_the_agent_stands_once_in_the_journal(sandbox, unpacked):
    """Debian's haproxy.cfg logs to /dev/log twice, and HAProxy 2.6 also writes
    Lua's lines to stderr: each line was in the journal two or three times."""
    machine = Machine(sandbox, unpacked, "web")
    machine.install()
    machine.namespace.output("sh", "-c", "sed -i '/chroot/d' "
                             "/etc/haproxy/haproxy.cfg; mkdir /run/dev")
    script = sandbox.write("journal.py", JOURNAL)
    process = machine.namespace.start(
        "journal", sys.executable, script, "haproxy", "-Ws",
        *(word for name in ("haproxy", "synapse", "seen")
          for word in ("-f", f"/etc/haproxy/{name}.cfg")))
    process.says("0 services", 20)
    # HAProxy's own line arrives on both ways, so the test sees both.
    process.says("^stderr .*[Nn]ew worker", 20)
    wait.until(lambda: machine.status(f"{PAGE}/ready") == "200", 20, "ready")
    machine.status("http://127.0.0.1:8080/")
    process.says("^syslog .*GET /", 20)
    for part in ("0 services", "locked down: "):
        [line] = process.lines(part)
        assert line.startswith("stderr <6>synapse: "), line
    process.stop(seconds=20)


HELD_BACK = "/etc/systemd/system/haproxy.service.d/synapse.conf"


@pytest.mark.parametrize("line, port, why", [
    ("frontend synapse-status\n\tbind :8082\n", None,
     "HAProxy would not start"),
    ("", 3214, "Port 3214 is in use")])
def test_the_package_stays_out_of_a_haproxy_that_would_not_start_with_it(
        line, port, why, sandbox, unpacked):
    machine = Machine(sandbox, unpacked, "web")
    with open(f"{BEFORE}/web.cfg") as file:
        machine.namespace.output("tee", "/etc/haproxy/haproxy.cfg",
                                 input=file.read() + line)
    if port:
        machine.namespace.service("other", port)
    shown = machine.install()
    assert why in shown and f"rm {HELD_BACK}" in shown
    assert machine.namespace.output(
        "readlink", HELD_BACK) == "/dev/null\n"
    assert HELD_BACK in machine.namespace.output(
        f"{unpacked}/DEBIAN/haproxy-synapse/postinst", "configure")
    machine.namespace.output(
        f"{unpacked}/DEBIAN/haproxy-synapse/postrm", "purge")
    assert not machine.namespace.output("readlink", HELD_BACK)


def test_a_haproxy_that_is_wrong_by_itself_is_told_and_left_alone(
        sandbox, unpacked):
    machine = Machine(sandbox, unpacked, "web")
    machine.namespace.output("tee", "/etc/haproxy/haproxy.cfg",
                             input="backend\n")
    assert "HAProxy would not start" in machine.install()
    assert not machine.namespace.output("readlink", HELD_BACK)


def test_nerve_and_the_generator_run_from_where_they_are_installed(network):
    version = packages.version_here()
    assert version in network.output("/usr/bin/nerve", "--version")
    assert "valid" in network.output(
        "sh", "-c", "nerve -k -c /etc/nerve/nerve.conf.json 2>&1 && echo valid")
    assert "SYNAPSE_CONFIG" in network.output("synapse-haproxy-cfg", "-h")
