"""Builds the images and runs containers of them, by podman.

podman keeps what it stores below build/images. The base image is a Debian 13
that mmdebstrap makes, once. Containers run in a network and a /run of the
test's own."""

import json
import os
import subprocess
import sys

import yaml

import program
import wait

sys.path.insert(0, os.path.join(program.ROOT, "tests"))
import other  # noqa: E402

FOLDER = os.path.join(program.BUILD, "images")
BASE = "localhost/trixie"
IMAGES = {"haproxy": "haproxy/image", "nerve": "nerve/image",
          "sandbox": "demo/compose"}
BUILD_SECONDS = 1500

# A container cannot have more than the process that starts it.
LIMITS = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000")
# What every container of the tests does without.
BARE = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges",
        "--dns=none")


def image(name):
    return f"localhost/myelin-{name}"


def options():
    """podman's own options, with which it needs no systemd and no cgroups of
    version 2."""
    return ["podman", f"--root={FOLDER}/store", f"--runroot={FOLDER}/run",
            f"--tmpdir={FOLDER}/tmp", f"--network-config-dir={FOLDER}/networks",
            "--storage-driver=overlay", "--cgroup-manager=cgroupfs",
            "--runtime=runc", "--events-backend=file"]


def run(argv, seconds, **settings):
    """Runs a command that must succeed; returns what it prints. podman
    complains on standard error where no systemd runs."""
    done = subprocess.run(argv, text=True, capture_output=True, check=False,
                          timeout=seconds * wait.FACTOR, **settings)
    shown = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, f"{argv}: {shown[-4000:]}"
    return done.stdout


def build():
    """Makes every image of this tree."""
    os.makedirs(FOLDER, exist_ok=True)
    if not run([*options(), "images", "--quiet", BASE], 60).strip():
        root = f"{FOLDER}/trixie.tar"
        run(["mmdebstrap", "--quiet", "--variant=minbase",
             "--include=ca-certificates", "--dpkgopt=force-unsafe-io",
             "--customize-hook=rm -f \"$1/etc/resolv.conf\"",
             "trixie", root, other.mirror()], BUILD_SECONDS)
        run([*options(), "import", root, BASE], 300)
        os.unlink(root)
    for name, folder in IMAGES.items():
        run([*options(), "build", "--isolation=chroot", "--network=host",
             "--format=docker", f"--build-arg=BASE={BASE}",
             f"--file={folder}/Containerfile", f"--tag={image(name)}", "."],
            BUILD_SECONDS, cwd=program.ROOT)


class Podman:
    """Containers in a namespace, ended with the sandbox."""

    def __init__(self, sandbox, namespace):
        self._sandbox = sandbox
        self._namespace = namespace
        self._names = []
        sandbox.at_end(self.close)

    def ask(self, *words, seconds=120):
        """Runs a command of podman that must succeed; returns what it
        prints."""
        return run([*self._namespace.enter, *options(), *words], seconds)

    def start(self, name, kind, *words):
        """Starts a container of an image; `words` are options, and behind
        `--` a command."""
        at = words.index("--") if "--" in words else len(words)
        self._names.append(name)
        self.ask("run", "--detach", "--replace", f"--name={name}",
                 "--network=host",
                 *LIMITS, *BARE, *words[:at], image(kind), *words[at + 1:])
        return name

    def once(self, kind, *words):
        """Runs a command in a container; returns what it prints."""
        at = words.index("--")
        return self.ask("run", "--rm", "--network=host", *LIMITS, *BARE,
                        *words[:at], image(kind), *words[at + 1:])

    def execute(self, name, *argv):
        return self.ask("exec", name, *argv)

    def logs(self, name):
        """Returns what the program has printed, on either output."""
        return subprocess.run(
            [*self._namespace.enter, *options(), "logs", name], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout

    def state(self, name):
        return json.loads(self.ask("inspect", name))[0]["State"]

    def start_all(self, file):
        """Starts each container of a compose file, with what stands there.
        Debian 12's podman-compose knows no fixed addresses."""
        with open(file) as text:
            compose = yaml.safe_load(text)
        there = self.ask("network", "ls", "--format={{.Name}}").split()
        for name, network in compose["networks"].items():
            if name not in there:
                subnet = network["ipam"]["config"][0]["subnet"]
                self.ask("network", "create", f"--subnet={subnet}", name)
        for name, service in compose["services"].items():
            self._names.insert(0, name)
            self.ask("run", "--detach", "--replace", f"--name={name}", *LIMITS,
                     *_options(service, os.path.dirname(file)),
                     service["image"], *service.get("command", []))

    def close(self):
        for name in self._names:
            self.ask("rm", "--force", "--volumes", "--ignore", name)


def _options(service, folder):
    """The options of `podman run` for a service of a compose file."""
    known = {"image", "command", "read_only", "cap_drop",
             "security_opt", "environment", "volumes", "network_mode",
             "networks", "ports"}
    assert set(service) <= known, set(service) - known
    yield f"--read-only={str(service['read_only']).lower()}"
    yield from (f"--cap-drop={name}" for name in service["cap_drop"])
    yield from (f"--security-opt={name}" for name in service["security_opt"])
    for name, value in service.get("environment", {}).items():
        yield f"--env={name}={value}"
    for volume in service.get("volumes", []):
        yield f"--volume={os.path.normpath(os.path.join(folder, volume))}"
    if "network_mode" in service:
        yield f"--network=container:{service['network_mode'].split(':')[1]}"
    for name, network in service.get("networks", {}).items():
        yield from (f"--network={name}", f"--ip={network['ipv4_address']}")
