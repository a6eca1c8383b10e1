"""The Debian packages: what lintian says of them, what is in them, what
their maintainer scripts do, and that what was unpacked runs."""

import os
import re
import subprocess

import pytest

import program
import wait
from namespace import Namespace

NAMES = ("haproxy-synapse", "nerve")
SCRIPTS = ("postinst", "postrm", "prerm")

# Each notes how it was called: what would change this machine.
FAKES = ("systemctl", "deb-systemd-helper", "deb-systemd-invoke",
         "systemd-sysusers", "systemd-tmpfiles")
FAKE = '#!/bin/sh\necho "${0##*/} $*" >>"$CALLS"\n'


def run(*argv, **options):
    """Runs a command that must succeed; returns what it printed."""
    done = subprocess.run(argv, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False,
                          timeout=400 * wait.FACTOR, **options)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def debs():
    """The packages that `make deb` has built, by their names."""
    run("make", "deb", cwd=program.ROOT, env={
        **os.environ, "DEB_BUILD_OPTIONS": "noautodbgsym"})
    folder = f"{program.BUILD}/deb"
    with open(f"{program.ROOT}/VERSION") as file:
        version = file.read().strip()
    machine = run("dpkg", "--print-architecture").strip()
    return {name: f"{folder}/{name}_{version}_{machine}.deb"
            for name in NAMES}


@pytest.fixture(scope="module")
def unpacked(shared, debs):
    """The files of both packages in one tree, each control in DEBIAN/NAME."""
    target = shared.path("unpacked")
    os.makedirs(f"{target}/DEBIAN")
    for name, deb in debs.items():
        run("dpkg-deb", "-x", deb, target)
        run("dpkg-deb", "-e", deb, f"{target}/DEBIAN/{name}")
    return target


@pytest.fixture
def network(sandbox, unpacked):
    """A namespace in which the packages are installed over this machine,
    the programs that reach systemd note their calls, and there is a user
    nerve whom no other process of this machine has."""
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


def field(deb, name):
    return run("dpkg-deb", "-f", deb, name).strip()


def packages_in(text):
    """The names in a field such as Depends, alternatives in one."""
    return {re.sub(r" *\([^)]*\)", "", one).strip()
            for one in text.split(",")}


def files_of(deb):
    """The files of a package, links and directories left out."""
    return {line.split()[5][1:] for line in
            run("dpkg-deb", "-c", deb).splitlines() if line[0] == "-"}


def lua_files():
    for folder, _, names in os.walk(f"{program.ROOT}/lua/synapse"):
        place = os.path.relpath(folder, f"{program.ROOT}/lua")
        yield from (f"/usr/share/lua/5.3/{place}/{name}" for name in names
                    if name.endswith(".lua"))


def test_lintian_has_no_error_and_no_warning(debs):
    shown = run("lintian", "--fail-on", "error,warning", "--allow-root",
                *debs.values())
    assert not re.search("^[EW]:", shown, re.M), shown


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
        "/usr/bin/synapse-haproxy-cfg", "/usr/lib/lua/5.3/zookeeper.so",
        "/usr/share/myelin/synapse.lua", "/usr/share/myelin/status.html",
        "/usr/share/myelin/alerts.yml", "/etc/haproxy/synapse.cfg",
        "/etc/haproxy/synapse.conf.json",
        "/lib/systemd/system/haproxy.service.d/synapse.conf",
        "/usr/lib/tmpfiles.d/haproxy-synapse.conf",
        "/usr/share/man/man1/synapse-haproxy-cfg.1.gz", *lua_files()}
    found = files_of(deb)
    assert {name for name in found
            if not name.startswith("/usr/share/doc/")} == wanted
    assert {"haproxy", "lua-cjson", "lua-posix", "lua5.3", "libseccomp2",
            "libzookeeper-mt2"} <= packages_in(field(deb, "Depends"))


def test_nerve_has_its_unit_its_user_and_its_pages(debs):
    deb = debs["nerve"]
    found = files_of(deb)
    assert {name for name in found
            if not name.startswith(("/usr/share/doc/", "/usr/share/lint"))} == {
        "/usr/bin/nerve", "/etc/nerve/nerve.conf.json",
        "/lib/systemd/system/nerve.service", "/usr/lib/sysusers.d/nerve.conf",
        "/usr/share/man/man8/nerve.8.gz", "/usr/share/man/man5/nerve.conf.5.gz"}
    depends = packages_in(field(deb, "Depends"))
    assert {"libjansson4", "libmicrohttpd12", "libuv1", "libzookeeper-mt2",
            "systemd | systemd-standalone-sysusers | systemd-sysusers"
            } <= depends
    assert not [name for name in depends if name.startswith("haproxy")]


def test_what_an_operator_edits_is_a_conffile(debs, unpacked):
    for name, deb in debs.items():
        with open(f"{unpacked}/DEBIAN/{name}/conffiles") as file:
            assert set(file.read().split()) == {
                one for one in files_of(deb) if one.startswith("/etc/")}


def test_the_unit_of_nerve_reloads_by_hup_and_runs_what_is_packaged(unpacked):
    with open(f"{unpacked}/lib/systemd/system/nerve.service") as file:
        unit = file.read()
    assert "ExecReload=kill -HUP $MAINPID\n" in unit
    assert "ExecStart=/usr/bin/nerve -c /etc/nerve/nerve.conf.json\n" in unit


def test_the_maintainer_scripts_are_clean(unpacked):
    scripts = [f"{unpacked}/DEBIAN/{name}/{script}"
               for name in NAMES for script in SCRIPTS]
    here = [script for script in scripts if os.path.exists(script)]
    assert len(here) == 5
    run("shellcheck", *here)


def calls_of(sandbox, network, script, *arguments, systemd=True):
    """What a maintainer script calls, with and without systemd running."""
    calls = sandbox.write("calls", "")
    if systemd:
        network.output("mkdir", "-p", "/run/systemd/system")
    shown = network.output(
        "env", f"PATH={sandbox.directory}:{os.environ['PATH']}",
        f"CALLS={calls}", "sh", "-c", '"$@" 2>&1 && echo succeeded', "sh",
        script, *arguments)
    assert shown.endswith("succeeded\n"), shown
    with open(calls) as file:
        return file.read()


def test_an_upgrade_of_nerve_sends_usr2_and_restarts_nothing(
        sandbox, network, unpacked):
    folder = f"{unpacked}/DEBIAN/nerve"
    calls = calls_of(sandbox, network, f"{folder}/prerm", "upgrade", "2")
    calls += calls_of(sandbox, network, f"{folder}/postinst", "configure", "1")
    assert re.findall(r"^.*\bkill\b.*$", calls, re.M) == [
        "systemctl kill --kill-who=main --signal=USR2 nerve.service"]
    assert not re.search(r"\b(re)?(stop|restart)\b", calls), calls


def test_a_first_installation_of_nerve_starts_it_and_signals_nothing(
        sandbox, network, unpacked):
    calls = calls_of(sandbox, network, f"{unpacked}/DEBIAN/nerve/postinst",
                     "configure")
    assert "systemd-sysusers " in calls
    assert "deb-systemd-invoke start nerve.service" in calls
    assert "USR2" not in calls


def test_a_removal_of_nerve_stops_it(sandbox, network, unpacked):
    calls = calls_of(sandbox, network, f"{unpacked}/DEBIAN/nerve/prerm",
                     "remove")
    assert "deb-systemd-invoke stop nerve.service" in calls


def test_without_systemd_a_running_nerve_goes_on_in_the_same_process(
        sandbox, network, unpacked):
    nerve = network.start("nerve", "setpriv", "--reuid=nerve",
                          "--clear-groups", "/usr/bin/nerve", "-c",
                          "/etc/nerve/nerve.conf.json")
    nerve.says("nerve")
    postinst = f"{unpacked}/DEBIAN/nerve/postinst"
    calls_of(sandbox, network, postinst, "configure", systemd=False)
    assert not nerve.lines("goes on as")
    calls_of(sandbox, network, postinst, "configure", "1", systemd=False)
    nerve.says("goes on as", 20)
    assert nerve.alive()


def test_an_upgrade_of_the_agent_reloads_haproxy(sandbox, network, unpacked):
    postinst = f"{unpacked}/DEBIAN/haproxy-synapse/postinst"
    first = calls_of(sandbox, network, postinst, "configure")
    assert "haproxy.service" not in first
    assert "systemd-tmpfiles " in first and "daemon-reload" in first
    calls = calls_of(sandbox, network, postinst, "configure", "1")
    assert re.findall(r".*haproxy\.service", calls) == [
        "deb-systemd-invoke reload haproxy.service"]


def test_a_purge_takes_what_was_written_at_run_time(
        sandbox, network, unpacked):
    for name, place in zip(NAMES, ("/var/lib/synapse", "/var/lib/nerve")):
        network.output("mkdir", "-p", f"{place}/deep")
        postrm = f"{unpacked}/DEBIAN/{name}/postrm"
        calls_of(sandbox, network, postrm, "remove")
        assert network.output("ls", place) == "deep\n"
        calls_of(sandbox, network, postrm, "purge")
        assert network.output("sh", "-c", f"test -e {place} || echo gone")


def test_nerve_and_the_generator_run_from_where_they_are_installed(network):
    with open(f"{program.ROOT}/VERSION") as file:
        version = file.read().strip()
    assert version in network.output("/usr/bin/nerve", "--version")
    assert "valid" in network.output(
        "sh", "-c", "nerve -k -c /etc/nerve/nerve.conf.json 2>&1 && echo valid")
    assert "SYNAPSE_CONFIG" in network.output("synapse-haproxy-cfg", "-h")


def test_debian_s_haproxy_runs_the_agent_by_the_drop_in(network, unpacked):
    """Its unit's line, with what the drop-in file adds."""
    with open(f"{unpacked}/lib/systemd/system/haproxy.service.d/"
              "synapse.conf") as file:
        [extra] = re.findall(r'"EXTRAOPTS=(.*)"', file.read())
    network.output("systemd-tmpfiles", "--create",
                   "/usr/lib/tmpfiles.d/haproxy-synapse.conf")
    network.output("install", "-d", "/run/haproxy")
    line = ["haproxy", "-Ws", "-f", "/etc/haproxy/haproxy.cfg", "-p",
            "/run/haproxy.pid", *extra.split()]
    shown = network.output("sh", "-c", '"$@" 2>&1', "sh", *line, "-c")
    assert "Configuration file is valid" in shown, shown
    network.start("haproxy", *line)
    with open(f"{program.ROOT}/VERSION") as file:
        version = file.read().strip()
    wait.until(lambda: f'"version":"{version}"' in network.output(
        "curl", "-s", "http://127.0.0.1:3214/status.json").replace(" ", ""),
        30, "the agent says its version")
    assert "<html" in network.output("curl", "-s", "http://127.0.0.1:3214/")
