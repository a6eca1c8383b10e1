"""The Debian packages: `make deb`, and their contents."""

import re
import subprocess

import program
import progress
import wait

NAMES = ("haproxy-synapse", "nerve")


def outcome(*argv, **options):
    """Runs a command. Returns what became of it, with all that it printed."""
    return subprocess.run(argv, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False,
                          timeout=400 * wait.FACTOR, **options)


def run(*argv, **options):
    """Runs a command that must succeed; returns what it printed."""
    done = outcome(*argv, **options)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def version_here():
    with open(f"{program.ROOT}/VERSION") as file:
        return file.read().strip()


def build(folder, version):
    """Builds both packages in `folder`. Returns their files by name."""
    progress.say(f"the packages of version {version} are built: a minute")
    run("make", "deb", f"DEB_DIR={folder}", f"DEB_VERSION={version}",
        cwd=program.ROOT)
    return files(folder, version)


def files(folder, version):
    """Returns the files of both packages by name."""
    machine = run("dpkg", "--print-architecture").strip()
    return {name: f"{folder}/{name}_{version}_{machine}.deb"
            for name in NAMES}


def depends(deb, *fields):
    """Returns what a package depends on, without versions. Alternatives count
    as one."""
    found = [run("dpkg-deb", "-f", deb, field).strip()
             for field in fields or ("Pre-Depends", "Depends")]
    return {re.sub(r" *\([^)]*\)", "", one).strip()
            for one in ",".join(filter(None, found)).split(",")}


def files_of(deb):
    """Returns the files of a package, without links and directories."""
    return {line.split()[5][1:] for line in
            run("dpkg-deb", "-c", deb).splitlines() if line[0] == "-"}
