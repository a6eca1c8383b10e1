"""A minimal Debian in which packages are installed: its root is made once for
each list of packages and kept as build/debian-*.tar. It runs in a network and
a root directory of its own, on the kernel of this machine."""

import contextlib
import ctypes
import hashlib
import os
import stat
import subprocess

import program
import wait
from packages import run

# Debian's repositories as apt has them on this machine, and its release.
SOURCES = ("apt-get", "indextargets", "--format",
           "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
           "Created-By: Packages", "Origin: Debian")
MAKE = ("mmdebstrap", "--variant=essential", "--format=tar",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*"
          for name in ("doc", "man", "locale")))
BEGIN = """
set -e
mount --make-rprivate /
ip link set lo up
mount -t tmpfs none "$1"
tar -C "$1" -xf "$2"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs none "$1/run"
exec chroot "$1" sh -c 'echo ready; exec sleep infinity'
"""
# As systemd and a login have it, wherever the tests are run from.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What no package owns: made anew at each start of a machine, or the kernel's.
PASSING = ("/dev", "/proc", "/run", "/sys", "/tmp")
CLONE_NEWNET = 0x40000000


def base(packages):
    """The archive of a root with `packages` and all that they depend on."""
    key = hashlib.sha256(repr((MAKE, sorted(packages))).encode()).hexdigest()
    archive = f"{program.BUILD}/debian-{key[:12]}.tar"
    if not os.path.exists(archive):
        run(*MAKE, f"--include={','.join(sorted(packages))}", _release(),
            f"{archive}.new", "-", input=_sources())
        os.rename(f"{archive}.new", archive)
    return archive


def _sources():
    """The repositories of apt, which knows them once it has read them."""
    if not _known():
        run("apt-get", "-qq", "update")
    return "\n".join(_known())


def _known():
    return [line for line in run(*SOURCES).splitlines() if line[:4] == "deb "]


def _release():
    with open("/etc/os-release") as file:
        lines = dict(line.strip().split("=", 1) for line in file if "=" in line)
    return lines["VERSION_CODENAME"]


class Debian:
    """A running one. `root` is its / as this machine sees it."""

    def __init__(self, sandbox, archive):
        self._sandbox = sandbox
        place = sandbox.path("debian")
        os.mkdir(place)
        holder = sandbox.run("debian", [
            "unshare", "--net", "--mount", "sh", "-c", BEGIN, "sh", place,
            archive])
        holder.says("ready", 60)
        self._pid = holder.pid
        self.root = f"/proc/{self._pid}/root"
        self._enter = ["nsenter", f"--target={self._pid}", "--net", "--mount",
                       "--root", "--wd", "--", "env", f"PATH={PATH}"]

    def start(self, name, argv, **options):
        """Starts a program in it."""
        return self._sandbox.run(name, [*self._enter, *argv], **options)

    def output(self, *argv):
        """What a command in it prints, which must succeed."""
        done = subprocess.run([*self._enter, *argv], text=True, check=False,
                              stdout=subprocess.PIPE, timeout=30 * wait.FACTOR,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        return done.stdout

    @contextlib.contextmanager
    def network(self):
        """In the block, this thread and those that it starts are in its
        network: there its loopback addresses are."""
        with open("/proc/thread-self/ns/net") as home, \
                open(f"/proc/{self._pid}/ns/net") as there:
            _enter_network(there)
            try:
                yield
            finally:
                _enter_network(home)

    def files(self):
        """What each file is that stays: its mode, owner and content."""
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
    """All of a file that a package could have changed."""
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
