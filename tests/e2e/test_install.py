"""The installed nerve: its unit, its manual pages, its rights."""

import os
import re
import shutil
import signal
import subprocess

import pytest

import program
import wait
from metrics import Pages
from namespace import Namespace
from nerve import watched
from zookeeper import children

UNIT = "lib/systemd/system/nerve.service"
# systemd's score of what a service may still do, in tenths; 0 is nothing.
EXPOSURE = 20


@pytest.fixture(scope="module")
def installed(shared):
    """The directory that `make install` has filled."""
    target = shared.path("installed")
    run("make", "-s", "install", f"DESTDIR={target}")
    return f"{target}/usr/local"


def run(*argv, **options):
    """Runs a command, which must succeed. Returns what it printed."""
    done = subprocess.run(argv, text=True, capture_output=True, timeout=120,
                          cwd=program.ROOT, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def manual(page):
    """Returns a manual page as it is shown; it must have no warnings."""
    environment = {**os.environ, "MANPAGER": "cat", "MANWIDTH": "1000",
                   "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["man", "--warnings", "-l", page], text=True,
                          capture_output=True, timeout=30, check=False,
                          env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def section(text, title):
    """Returns one section of a page, or of a text with similar headings."""
    return re.search(rf"^{title}\n(.*?)(?=^\S|\Z)", text, re.S | re.M)[1]


def options_in(text):
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text))


def readme():
    with open(f"{program.ROOT}/nerve/README.md") as file:
        return file.read()


def test_the_unit_is_right_where_it_is_installed(installed):
    """Runs in a namespace in which /usr/local has the installed files."""
    shown = run("unshare", "--mount", "sh", "-ec",
                f"mount --make-rprivate /; mount --bind {installed} "
                f"/usr/local; systemd-analyze verify --man=yes "
                f"/usr/local/{UNIT}")
    assert shown == ""


def test_what_is_installed_follows_the_prefix(sandbox):
    target = sandbox.path("target")
    run("make", "-s", "install", f"DESTDIR={target}", "PREFIX=/usr")
    with open(f"{target}/usr/{UNIT}") as file:
        assert "ExecStart=/usr/bin/nerve " in file.read()
    with open(f"{target}/etc/haproxy/synapse.cfg") as file:
        assert "lua-load /usr/share/myelin/synapse.lua\n" in file.read()


def test_a_configuration_that_is_there_stays_as_it_is(sandbox):
    os.makedirs(sandbox.path("etc/nerve"))
    mine = sandbox.write("etc/nerve/nerve.conf.json", "mine")
    run("make", "-s", "install", f"DESTDIR={sandbox.directory}")
    with open(mine) as file:
        assert file.read() == "mine"
    assert os.path.exists(sandbox.path("etc/haproxy/synapse.conf.json"))


def test_what_is_installed_is_good_as_it_is(sandbox, installed):
    """Both programs accept their configurations in a namespace in which
    everything is installed over this machine. HAProxy does so with its drop-in
    file, and if its own haproxy.cfg loads the agent already."""
    machine = Namespace(sandbox)
    with open(f"{installed}/lib/systemd/system/haproxy.service.d/"
              "synapse.conf") as file:
        [extra] = re.findall(r'"EXTRAOPTS=(.*)"', file.read())
    etc = installed.replace("usr/local", "etc")
    shown = machine.output("sh", "-exc", f"""
        mount --bind {installed} /usr/local
        mount -t overlay none -o lowerdir={etc}:/etc /etc
        /usr/local/bin/nerve -k -c /etc/nerve/nerve.conf.json
        install -d /run/haproxy
        haproxy -W -V -c -f /etc/haproxy/haproxy.cfg {extra} 2>&1
        haproxy -W -V -c -f haproxy/haproxy.cfg {extra} 2>&1""")
    assert "nerve.conf.json: good, 1 service" in shown
    assert shown.count("Configuration file is valid") == 2
    assert "WARNING" not in shown


def shown_in_readme(place):
    """Returns the indented block after the first mention of a file."""
    with open(f"{program.ROOT}/README.md") as file:
        text = file.read().split("## Configure\n")[1].split(f"`{place}`", 1)[1]
    block = re.search(r"\n\n((?:    .*\n|\n)+)", text)[1]
    return re.sub("(?m)^    ", "", block)


def test_the_readme_as_it_is_written_serves_a_request(sandbox, installed):
    """The README's example had no frontend and no status page, so it served
    nothing. The test uses its three files in place of the installed ones."""
    machine = Namespace(sandbox)
    mine = sandbox.path("etc")
    for place in ("/etc/haproxy/synapse.conf.json", "/etc/nerve/nerve.conf.json",
                  "/etc/haproxy/haproxy.cfg"):
        os.makedirs(os.path.dirname(sandbox.path(place[1:])), exist_ok=True)
        before = ""
        if place.endswith(".cfg"):
            with open(place) as file:
                before = file.read()
        sandbox.write(place[1:], f"{before}\n{shown_in_readme(place)}")
    assert "ready" in machine.output("sh", "-exc", f"""
        mount --bind {installed} /usr/local
        mount -t overlay none -o lowerdir={mine}:{installed.replace(
            "usr/local", "etc")}:/etc /etc
        install -d /run/haproxy /run/nerve /var/lib/nerve
        /usr/local/bin/nerve -k -c /etc/nerve/nerve.conf.json
        haproxy -c -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/synapse.cfg
        echo ready""")
    machine.zookeeper()
    machine.service("a", 8000)
    machine.start("nerve", "/usr/local/bin/nerve", "-c",
                  "/etc/nerve/nerve.conf.json")
    machine.start("haproxy", "haproxy", "-Ws", "-f", "/etc/haproxy/haproxy.cfg",
                  "-f", "/etc/haproxy/synapse.cfg")
    wait.until(lambda: machine.fetch(3213) == "a", 30, "a answers by HAProxy")
    page = "http://127.0.0.1:3214/"
    assert "<html" in machine.output("curl", "-s", page)
    assert "\n## An instance misbehaves\n" in machine.output(
        "curl", "-s", f"{page}doc/haproxy/OPERATE.md")

    # No sample had a control_socket, so nerve ctl asked for -c or -s.
    with open(f"{program.ROOT}/README.md") as file:
        [command] = re.findall(r"`(nerve ctl disable [^`]*)`", file.read())
    assert "web: disabled" in machine.output(
        "sh", "-c", f"PATH=/usr/local/bin:$PATH; {command} 2>&1")
    assert complete(machine, "nerve", "ctl", "enable", "") == "web\n"


def complete(machine, *words):
    """Returns what bash offers for the last word, one line each."""
    script = ("PATH=/usr/local/bin:$PATH; . /usr/local/share/bash-completion/"
              "completions/$1; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
              "$(complete -p $1 | sed 's/.*-F \\([^ ]*\\) .*/\\1/'); "
              "printf '%s\\n' \"${COMPREPLY[@]}\"")
    return machine.output("bash", "-c", script, "bash", *words)


def test_bash_completes_what_the_programs_take(sandbox, installed):
    """bash offers the options that each program's help shows. The services of
    `nerve ctl` are tested with the README's nerve."""
    machine = Namespace(sandbox)
    machine.output("mount", "--bind", installed, "/usr/local")
    for words, help_words in (
            (("nerve",), ()), (("synapse-haproxy-cfg",), ())):
        shown = run(f"{installed}/bin/{words[0]}", *help_words, "--help")
        offered = set(complete(machine, *words, "-").split())
        assert offered == options_in(shown.split("\n\n", 2)[2]), words
    shown = run(program.NERVE, "ctl", "--help")
    commands = re.findall(r"^  ([a-z]+)", shown, re.M)
    assert complete(machine, "nerve", "ctl", "").split() == commands
    offered = set(complete(machine, "nerve", "ctl", "-").split())
    for command in commands:
        offered |= set(complete(
            machine, "nerve", "ctl", "-s", "/x", command, "web", "-").split())
    assert offered - {"--socket", "--config", "-h", "--help"} == options_in(
        shown) - {"--help"}
    assert "/etc/nerve/" not in complete(machine, "nerve", "ctl", "-c",
                                         "/etc/host")
    assert "/etc/hosts\n" in complete(machine, "nerve", "ctl", "-c",
                                      "/etc/host")
    assert complete(machine, "nerve", "ctl", "-s", "/nowhere", "enable",
                    "") == "\n"


def test_nerve_asks_for_a_name_where_the_host_has_none_of_its_own(sandbox):
    """Two machines that are both called `localhost` would share their
    znodes."""
    file = sandbox.write("nerve.json", '{"services": {}}')
    script = 'hostname "$1"; exec "$2" -k -c "$3"'
    for name, status, said in (
            ("localhost", 1, 'instance_id: missing, and the host\'s name '
             '"localhost" is no name of its own'),
            ("edge7", 0, "good, 0 services")):
        done = subprocess.run(
            ["unshare", "--uts", "sh", "-c", script, "sh", name,
             program.NERVE, file], text=True, capture_output=True,
            timeout=60 * wait.FACTOR, check=False)
        assert (done.returncode, said in done.stdout + done.stderr) == (
            status, True), done.stdout + done.stderr


def test_control_a_unit_that_names_no_program_is_found(sandbox):
    unit = sandbox.write("wrong.service", "[Service]\nExecStart=/no/such\n")
    done = subprocess.run(["systemd-analyze", "verify", unit], text=True,
                          capture_output=True, timeout=30, check=False)
    assert "/no/such is not executable" in done.stderr


def test_the_unit_leaves_little_to_whoever_breaks_into_nerve(installed):
    shown = run("systemd-analyze", "security", "--offline=true",
                f"--threshold={EXPOSURE}", f"{installed}/{UNIT}")
    assert "exposure level" in shown


def test_the_user_of_the_unit_is_made_on_installation(installed):
    shown = run("systemd-sysusers", "--dry-run",
                f"{installed}/lib/sysusers.d/nerve.conf")
    assert "Creating user 'nerve'" in shown or not shown
    with open(f"{installed}/{UNIT}") as file:
        assert "\nUser=nerve\n" in file.read()


def calls_allowed():
    """Returns the system calls that the unit's SystemCallFilter allows."""
    groups, group = {}, None
    for line in run("systemd-analyze", "syscall-filter").splitlines():
        if line.startswith("@"):
            group = groups.setdefault(line, set())
        elif line.startswith(" ") and not line.strip().startswith("#"):
            group.add(line.strip())
    return flat(groups, "@system-service")


def flat(groups, name):
    return set().union(*(flat(groups, one) if one.startswith("@") else {one}
                         for one in groups[name]))


def test_nerve_needs_no_system_call_that_its_unit_forbids(
        sandbox, healthy, witness, path):
    """A nerve from start to end: checks of all types, a reload, an upgrade."""
    one = sandbox.service("one")
    checks = [{"type": "http", "uri": "/health", "timeout": 5},
              {"type": "tcp", "timeout": 5},
              {"type": "exec", "command": ["/bin/true"], "timeout": 5}]
    trace = sandbox.path("trace")
    nerve = sandbox.nerve(
        "one", {"web": watched(one, healthy, path, checks=checks)},
        start=False, heartbeat_path=sandbox.path("beat"),
        statsd={"host": "localhost"}, metrics_listen=Pages().listen)
    nerve.process = sandbox.run("traced", [
        "strace", "-f", "-qq", "-o", trace, program.NERVE, "-c", nerve.file])
    wait.until(lambda: children(witness, path), 20, "it is registered")
    with open(trace) as file:
        pid = int(file.readline().split()[0])
    for number, says in ((signal.SIGHUP, "reloaded as"),
                         (signal.SIGUSR2, "goes on as")):
        before = len(nerve.process.lines(says))
        os.kill(pid, number)
        wait.until(lambda n=before, s=says: len(nerve.process.lines(s)) > n,
                   20, f"nerve says {says}")
    os.kill(pid, signal.SIGTERM)
    assert nerve.process.ended(20) == 0
    with open(trace) as file:
        lines = file.read()
    called = set(re.findall(r"^\d+ +(\w+)\(", lines, re.M))
    assert {"execve", "memfd_create", "connect"} <= called
    # Of libuv's releases some wait by the one, some by the other.
    assert called & {"epoll_wait", "epoll_pwait"}
    assert called - calls_allowed() == set()
    with open(f"{program.ROOT}/nerve/nerve.service") as file:
        allowed = re.search(r"^RestrictAddressFamilies=(.*)$", file.read(),
                            re.M)[1].split()
    families = set(re.findall(r"\bsocket\((AF_\w+)", lines))
    assert "AF_INET" in families and families <= set(allowed)


def test_nerve_8_has_the_options_that_help_has(installed):
    page = manual(f"{installed}/share/man/man8/nerve.8")
    shown = run(program.NERVE, "--help")
    options = options_in(section(page, "OPTIONS"))
    assert options == options_in(shown.split("\n\n", 2)[2])
    rows = re.findall(r"^\| (`-.*?) \|", readme(), re.M)
    assert options == options_in(" ".join(rows))


def test_nerve_8_has_the_commands_that_nerve_ctl_has(installed):
    page = section(manual(f"{installed}/share/man/man8/nerve.8"), "NERVE CTL")
    shown = run(program.NERVE, "ctl", "--help")
    assert options_in(page) == options_in(shown)
    commands = re.findall(r"^  ([a-z]+)", shown, re.M)
    assert re.findall(r"^ {7}([a-z]+)(?= [\[A-Z]|  )", page, re.M) == commands
    rows = re.findall(r"^\| `([a-z]+)[^`]*` \| [^|]*\|$", readme().split(
        "nerve ctl [-s SOCKET | -c FILE] COMMAND\n\nasks")[1], re.M)
    assert rows[:len(commands)] == commands


def test_nerve_8_has_the_signals_and_statuses_that_the_readme_has(installed):
    page = manual(f"{installed}/share/man/man8/nerve.8")
    signals = re.findall(r"^\| (SIG.+?) \|", readme(), re.M)
    assert re.findall(r"^ {7}(SIG[A-Z0-9]+(?:, SIG[A-Z0-9]+)*)",
                      section(page, "SIGNALS"), re.M) == signals
    statuses = re.findall(r"^\| (\d+) \| ",
                          readme().split("## The program")[1].split("\n## ")[0],
                          re.M)
    assert re.findall(r"^ {7}(\d+) ", section(page, "EXIT STATUS"),
                      re.M) == statuses
    read = set()
    for name in ("options.c", "config/service.c"):
        with open(f"{program.ROOT}/nerve/{name}") as file:
            read |= set(re.findall(r'"(NERVE_\w+)"', file.read()))
    assert read == set(re.findall(r"\bNERVE_\w+",
                                  section(page, "ENVIRONMENT")))


def test_nerve_conf_5_has_every_key_with_its_type_and_default(installed):
    page = manual(f"{installed}/share/man/man5/nerve.conf.5")
    shown = re.findall(r"^ {7}(\w+) \((.*)\)$", page, re.M)
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| .*\|$",
                      readme().split("### Every key")[0], re.M)
    plain = [(key, f"{kind}; {default}".replace("`", ""))
             for key, kind, default in rows]
    assert shown == plain
    fates = re.findall(
        r"^\| .+? \| `(\w+)` \| (?:supported(?: differently)?|new) \|",
        readme(), re.M)
    nested = {"host", "port", "user", "password_file"}
    assert set(fates) - nested == {key for key, _ in shown} - nested
    assert len(shown) > 40


def test_the_pages_are_found_by_their_names(installed):
    assert shutil.which("man")
    shown = run("man", "-M", f"{installed}/share/man", "-w", "nerve",
                "nerve.conf", "synapse.conf", "synapse-haproxy-cfg",
                "synapsectl", "nerve-ctl")
    assert [os.path.basename(line) for line in shown.split()] == [
        "nerve.8", "nerve.conf.5", "synapse.conf.5", "synapse-haproxy-cfg.1",
        "synapsectl.1", "nerve-ctl.1"]


def test_synapse_haproxy_cfg_1_has_the_options_that_help_has(installed):
    page = manual(f"{installed}/share/man/man1/synapse-haproxy-cfg.1")
    shown = run(f"{installed}/bin/synapse-haproxy-cfg", "--help")
    options = options_in(section(page, "OPTIONS"))
    assert options == options_in(shown.split("\n\n", 2)[2])


def test_synapse_conf_5_has_every_key_with_its_type_and_default(installed):
    """The tables of lua/README.md have the same types and defaults, because
    both come from one schema."""
    page = manual(f"{installed}/share/man/man5/synapse.conf.5")
    with open(f"{program.ROOT}/lua/README.md") as file:
        tables = file.read().split("<!-- keys -->")[1].split("<!-- end")[0]
    rows = re.findall(r"^\| (`.*?) \| (.*?) \| (.*?) \| (.*?) \| .* \|$",
                      tables, re.M)
    assert len(rows) > 60
    for keys, kind, default, fate in rows:
        notes = "; ".join(filter(None, (
            kind, default, fate if fate != "supported" else "")))
        line = f"{keys} ({notes})" if notes else keys
        assert re.sub(r"\s+", " ", line.replace("`", "")) in re.sub(
            r"\s+", " ", page), line
