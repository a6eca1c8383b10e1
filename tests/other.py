#!/usr/bin/python3
"""Builds and tests this tree on another Debian, in a root of its own.

    tests/other.py [--sid] TARGET...

The other of Debian 12 is Debian 13, and the reverse. With --sid it is Debian
13 with the HAProxy of sid. The root is made once, by mmdebstrap and .ci/deps,
and kept below build/other. It shares only the kernel, the network and the
trusted certificate authorities with this machine. The targets are those of the
Makefile; variables of make may be in the environment.
"""
import hashlib
import os
import shutil
import subprocess
import sys

OTHER = {"bookworm": "trixie", "trixie": "bookworm"}
NEWEST = "trixie"
BUILD = os.path.realpath("build/other")
# What is handed over of the environment.
KEPT = ("TEST_TIMEOUT", "ONLY", "REPEAT", "E2E_JOBS", "DELETIONS", "V",
        "NODE_EXTRA_CA_CERTS")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"

# $1 is the root, $2 the tree; what follows is run there. The old root is
# gone: to programs that make namespaces it is a machine like others.
ENTER = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
mount -t tmpfs -o mode=1777 none "$1/tmp"
mount -t tmpfs none "$1/run"
mkdir -p "$1/myelin" "$1/run/lock"
mount --bind "$2" "$1/myelin"
cat /etc/resolv.conf >"$1/etc/resolv.conf"
# A network may have authorities of its own.
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs"
fi
cd "$1"
mkdir -p .old
pivot_root . .old
umount -l /.old
cd /myelin
shift 2
# Not exec: the first process of a machine gets no signal that it does not
# handle, so that a make which ends itself by one would turn for ever.
"$@"
"""

# Its signed list is valid for a week only, and a mirror may be older. The
# tests make roots of their own with the sources of this one, so sid is none.
SID = """
echo "deb {uri} sid main" >/etc/apt/sources.list.d/sid.list
printf 'Package: *\\nPin: release n=sid\\nPin-Priority: 100\\n' \\
    >/etc/apt/preferences.d/sid
apt-get -qq -o Acquire::Check-Valid-Until=false update
DEBIAN_FRONTEND=noninteractive apt-get -qq -y install -t sid \\
    --no-install-recommends haproxy
rm /etc/apt/sources.list.d/sid.list /etc/apt/preferences.d/sid
"""


def run(*argv, **options):
    """Runs a command that must succeed; returns what it prints."""
    return subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE,
                          **options).stdout


def this_release():
    with open("/etc/os-release") as file:
        lines = dict(line.strip().split("=", 1) for line in file if "=" in line)
    return lines["VERSION_CODENAME"]


def mirror():
    """Where apt has Debian from, on this machine."""
    ask = ("apt-get", "indextargets", "--format", "$(REPO_URI)",
           "Created-By: Packages", "Origin: Debian", "Label: Debian")
    if not run(*ask):
        run("apt-get", "-qq", "update")
    return run(*ask).split()[0]


def enter(root, tree, argv):
    """The command that runs `argv` in the root."""
    kept = [f"{name}={os.environ[name]}" for name in KEPT
            if name in os.environ]
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts",
            "--ipc", "sh", "-c", ENTER, "sh", root, tree, "env", "-i",
            f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8", *kept, *argv]


def make_root(release, sid):
    """The root of a Debian on which Myelin can be tested; made if it is not
    there yet, or if what the tests need has changed."""
    with open(".ci/deps") as file:
        key = hashlib.sha256(file.read().encode()).hexdigest()[:12]
    root = f"{BUILD}/{release}{'-sid' if sid else ''}-{key}"
    if os.path.exists(root):
        return root
    made = f"{root}.new"
    os.makedirs(BUILD, exist_ok=True)
    shutil.rmtree(made, ignore_errors=True)
    print(f"making {root}", flush=True)
    here = os.getcwd()
    uri = mirror()
    if sid:
        run("cp", "-a", make_root(release, False), made)
        run(*enter(made, here, ["sh", "-ec", SID.format(uri=uri)]))
        os.rename(made, root)
        return root
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase",
                    "--include=ca-certificates,git,make",
                    "--dpkgopt=force-unsafe-io",
                    "--dpkgopt=path-exclude=/usr/share/locale/*",
                    release, made, uri], check=True)
    with open(f"{made}/etc/hosts", "w") as file:
        file.write(HOSTS)
    subprocess.run(enter(made, here, [".ci/deps", "test"]), check=True)
    os.rename(made, root)
    return root


def copy_tree(place):
    """Has in `place` what git knows of this tree, as it is now. What was
    built there before stays."""
    os.makedirs(place, exist_ok=True)
    for name in os.listdir(place):
        if name != "build" and not name.startswith("build-"):
            old = os.path.join(place, name)
            (shutil.rmtree if os.path.isdir(old) else os.remove)(old)
    names = run("git", "ls-files", "-z", "--cached", "--others",
                "--exclude-standard").split("\0")
    for name in filter(os.path.exists, names):
        target = os.path.join(place, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(name, target, follow_symlinks=False)


def main(arguments):
    sid = "--sid" in arguments
    targets = [name for name in arguments if name != "--sid"]
    release = NEWEST if sid else OTHER[this_release()]
    root = make_root(release, sid)
    tree = f"{root}.tree"
    copy_tree(tree)
    return subprocess.run(
        enter(root, tree, ["python3", "tests/run.py", *targets]),
        stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
