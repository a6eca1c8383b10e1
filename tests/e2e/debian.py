"""A minimal Debian with systemd in which packages can be installed. Its root
is made once for each list of packages and kept as build/debian-*.tar.
systemd-nspawn boots it in a network of its own, on this machine's kernel."""

import contextlib
import ctypes
import hashlib
import os
import stat
import subprocess

import program
import progress
import wait
from packages import run

# This machine's sources of apt, and its release.
SOURCES = ("apt-get", "indextargets", "--format",
           "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
           "Created-By: Packages", "Origin: Debian")
MAKE = ("mmdebstrap", "--variant=essential", "--format=tar",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*"
          for name in ("doc", "man", "locale")),
        # Java's scripts want it.
        "--essential-hook=mkdir -p \"$1/usr/share/man/man1\"")
# The machine has no connection to this one: no bus, no scope, no files.
BOOT = ("systemd-nspawn", "--quiet", "--boot", "--register=no",
        "--keep-unit",
        "--private-network", "--link-journal=no", "--settings=no",
        "--resolv-conf=off", "--timezone=off", "--console=pipe")
# For systemd-nspawn and the systemd in the machine: use the unified hierarchy
# of control groups, or the old one if this machine has no other.
SETTINGS = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
# As systemd and a login set it, whatever the tests' environment is.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Files of no package: made at each boot, the kernel's, or written by systemd
# while it runs.
PASSING = ("/dev", "/proc", "/run", "/sys", "/tmp", "/var/tmp",
           "/var/lib/systemd", "/var/log/journal")
BOOT_SECONDS = 90
COMMAND_SECONDS = 120
CLONE_NEWNET = 0x40000000
BRIDGE = "bridge"


def base(packages):
    """Returns the archive of a root with `packages` and their dependencies."""
    packages = sorted({*packages, "systemd-sysv"})
    key = hashlib.sha256(repr((MAKE, packages)).encode()).hexdigest()
    archive = f"{program.BUILD}/debian-{key[:12]}.tar"
    if not os.path.exists(archive):
        progress.say("a Debian is made for the packages' tests, once: "
                     "some minutes")
        run(*MAKE, f"--include={','.join(packages)}", release(),
            f"{archive}.new", "-", input=_sources())
        os.rename(f"{archive}.new", archive)
    return archive


def _sources():
    """Returns apt's sources as apt itself reads them."""
    if not _known():
        run("apt-get", "-qq", "update")
    return "\n".join(_known())


def _known():
    return [line for line in run(*SOURCES).splitlines() if line[:4] == "deb "]


def release():
    """Returns the name of this machine's Debian, such as bookworm."""
    with open("/etc/os-release") as file:
        lines = dict(line.strip().split("=", 1) for line in file if "=" in line)
    return lines["VERSION_CODENAME"]


class Debian:
    """A booted Debian. `root` is its / as this machine sees it."""

    def __init__(self, sandbox, archive, name="debian"):
        """Boots it. `name` is its host's name."""
        place = sandbox.path(name)
        os.mkdir(place)
        run("tar", "-C", place, "-xf", archive)
        with open(f"{place}/etc/hostname", "w") as file:
            file.write(f"{name}\n")
        self._nspawn = sandbox.run(
            name, [*BOOT, f"--directory={place}",
                   f"--machine=myelin-{os.getpid()}-{name}"],
            env={**os.environ, **SETTINGS})
        self._pid = wait.until(self._init, BOOT_SECONDS, "it has an init")
        self.root = f"/proc/{self._pid}/root"
        sandbox.at_end(self._power_off)
        self._enter = ["nsenter", f"--target={self._pid}", "--mount", "--net",
                       "--pid", "--ipc", "--uts", "--cgroup", "--root", "--wd",
                       "--", "env", "-i", f"PATH={PATH}", "LC_ALL=C.UTF-8"]
        wait.until(self._is_up, BOOT_SECONDS, "systemd has started all")

    def _init(self):
        """Returns the id of the machine's first process once it runs."""
        assert self._nspawn.alive(), self._nspawn.text()
        pid = self._nspawn.pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            for child in file.read().split():
                with open(f"/proc/{child}/comm") as name:
                    if name.read().strip() in ("systemd", "init"):
                        return int(child)
        return None

    def _is_up(self):
        done = self.tries("systemctl", "is-system-running")
        return done.stdout.strip() in ("running", "degraded")

    def _power_off(self):
        """Shuts it down in systemd's own order."""
        if self._nspawn.alive():
            self.tries("systemctl", "--no-block", "poweroff")
            assert self._nspawn.ended(BOOT_SECONDS) == 0

    def tries(self, *argv, **options):
        """Runs a command in it. Returns what became of it."""
        return subprocess.run([*self._enter, *argv], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=COMMAND_SECONDS * wait.FACTOR, **options)

    def output(self, *argv, **options):
        """Runs a command in it, which must succeed. Returns what it
        printed."""
        done = self.tries(*argv, **options)
        assert done.returncode == 0, f"{argv}: {done.stdout}"
        return done.stdout

    def show(self, unit, name):
        """Returns a property of a unit."""
        return self.output("systemctl", "show", f"--property={name}",
                           "--value", unit).strip()

    def journal(self, unit):
        """Returns a unit's lines in the journal, without time and name."""
        return self.output("journalctl", "--quiet", "--output=cat",
                           f"--unit={unit}").splitlines()

    def says(self, unit, text, seconds=20):
        """Waits until a line of a unit contains `text`."""
        wait.until(lambda: any(text in line for line in self.journal(unit)),
                   seconds, f"the journal of {unit} has {text!r}")

    def connect(self, hub, address):
        """Gives it a network card with `address` (10.0.0.1/24), on the
        bridge of the network namespace of the process `hub`."""
        name = f"to-{self._pid}"
        run("nsenter", f"--target={hub}", "--net", "sh", "-ec", f"""
            ip link add name {name} type veth peer name lan netns {self._pid}
            ip link set dev {name} master {BRIDGE} up""")
        run("nsenter", f"--target={self._pid}", "--net", "sh", "-ec", f"""
            ip address add {address} dev lan
            ip link set dev lan up""")

    @contextlib.contextmanager
    def network(self):
        """During the block, this thread and what it starts are in the
        machine's network, with its loopback addresses."""
        with open("/proc/thread-self/ns/net") as home, \
                open(f"/proc/{self._pid}/ns/net") as there:
            _enter_network(there)
            try:
                yield
            finally:
                _enter_network(home)

    def files(self):
        """Returns the mode, owner and content of each file that stays."""
        found = {}
        for folder, folders, names in os.walk(self.root + "/"):
            folders[:] = [name for name in folders
                          if self._name(folder, name) not in PASSING]
            for name in [*folders, *names]:
                found[self._name(folder, name)] = _looks(
                    os.path.join(folder, name))
        return found

    def _name(self, folder, name):
        return os.path.join(folder, name).removeprefix(self.root)


def _looks(file):
    """Returns everything about a file that a package could have changed."""
    info = os.lstat(file)
    content = ""
    if stat.S_ISLNK(info.st_mode):
        content = os.readlink(file)
    elif stat.S_ISREG(info.st_mode):
        with open(file, "rb") as data:
            content = hashlib.sha256(data.read()).hexdigest()
    return info.st_mode, info.st_uid, info.st_gid, content


def _enter_network(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
