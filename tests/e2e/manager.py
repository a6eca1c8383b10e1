"""What systemd is to packages: it starts, reloads and ends units, as an
operator or a maintainer script asks by `systemctl`. In a chroot no systemd can
run, so the program there hands each call over, by a pipe, to this one, which
does what the installed units say."""

import os
import select
import signal
import socket

import wait
from unit import Unit

SYSTEMCTL = """#!/bin/sh
echo "$@" >/run/systemctl.asks
{ read -r status; cat; } </run/systemctl.answer
exit "$status"
"""
# A directory that says to maintainer scripts that systemd runs.
RUNNING = "/run/systemd/system"
NEEDLESS = ("--quiet", "--system", "--kill-who=main", "--")
START_SECONDS = 30
SERVE_SECONDS = 120


class Manager:
    """The units of a Debian that runs."""

    def __init__(self, debian):
        self._debian = debian
        self._root = debian.root
        self.running = {}
        os.makedirs(self._root + RUNNING)
        for name in ("asks", "answer"):
            os.mkfifo(f"{self._root}/run/systemctl.{name}")
        with open(f"{self._root}/usr/local/bin/systemctl", "w") as file:
            file.write(SYSTEMCTL)
            os.chmod(file.name, 0o755)
        debian.output("systemd-tmpfiles", "--create")

    def serve(self, *argv):
        """Runs a command there that must succeed, and does what it asks for.
        """
        asks = os.open(f"{self._root}/run/systemctl.asks", os.O_RDWR)
        process = self._debian.start("-".join(argv[:2]), argv)

        def ended():
            if select.select([asks], [], [], 0)[0]:
                self._answer(os.read(asks, 4096).decode().split())
            return not process.alive()
        try:
            wait.until(ended, SERVE_SECONDS, f"{' '.join(argv)} ends")
        finally:
            os.close(asks)
        assert process.status == 0, process.text()

    def _answer(self, words):
        verb, *rest = [word for word in words if word not in NEEDLESS]
        units = [word for word in rest if not word.startswith("-")]
        status, text = 0, ""
        if verb == "is-enabled":
            status, text = self._enabled(*units)
        elif verb == "is-active":
            status = 0 if units[0] in self.running else 3
        elif verb == "kill":
            [number] = [word.partition("=")[2] for word in rest
                        if word.startswith("--signal=")]
            self.running[units[0]].send(signal.Signals[f"SIG{number}"])
        elif verb != "daemon-reload":
            for unit in units:
                getattr(self, verb)(unit)
        with open(f"{self._root}/run/systemctl.answer", "w") as file:
            file.write(f"{status}\n{text}\n")

    def _enabled(self, name):
        link = f"{self._root}/etc/systemd/system/multi-user.target.wants/{name}"
        return (0, "enabled") if os.path.lexists(link) else (1, "disabled")

    def start(self, name):
        """Starts a unit unless it runs; returns when it says that it is
        ready."""
        if name in self.running:
            return
        unit = Unit(self._root, name)
        assert unit.get("Type") == "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            place = f"/run/{name}.notify"
            ready.bind(self._root + place)
            os.chmod(self._root + place, 0o666)
            ready.settimeout(START_SECONDS * wait.FACTOR)
            [command] = unit.commands("ExecStart")
            self._make_folders(unit)
            self.running[name] = self._run(unit, command, place)
            while b"READY=1" not in ready.recv(4096):
                pass
        os.unlink(self._root + place)

    def _run(self, unit, command, notify):
        return self._debian.start(
            unit.name, [*_as_user(unit), *command],
            env={"NOTIFY_SOCKET": notify, **unit.environment()},
            limit=lambda: os.umask(int(unit.get("UMask", "0022"), 8)))

    def _make_folders(self, unit):
        for key, place in (("RuntimeDirectory", "/run"),
                           ("StateDirectory", "/var/lib")):
            if unit.get(key):
                user = unit.get("User", "root")
                self._debian.output("install", "-d", "-o", user, "-g", user,
                                    f"{place}/{unit.get(key)}")

    def reload(self, name):
        """Runs the commands by which a unit is reloaded, until one fails."""
        unit = Unit(self._root, name)
        for command in unit.commands("ExecReload",
                                     MAINPID=str(self.running[name].pid)):
            self._debian.output(*_as_user(unit), *command)

    def stop(self, name):
        """Ends a unit as systemd does; what its KillMode says is the same
        here, for none leaves children."""
        status = self.running.pop(name).stop(seconds=20)
        wanted = [0, int(Unit(self._root, name).get("SuccessExitStatus", "0"))]
        assert status in wanted, f"{name}: status {status}"

    def restart(self, name):
        self.stop(name)
        self.start(name)


def _as_user(unit):
    """The words before a command that give it the rights of its unit."""
    user = unit.get("User", "root")
    less = (["--no-new-privs", "--bounding-set=-all"]
            if unit.get("NoNewPrivileges") == "yes" else [])
    return ["setpriv", f"--reuid={user}", "--init-groups",
            f"--regid={unit.get('Group', user)}", *less]
