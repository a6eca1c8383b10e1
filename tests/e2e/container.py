"""Runs a program as in a container. The program is the first process. Its root
is read-only, and there is no /etc/resolv.conf. Some system calls are refused,
as by an old seccomp profile. The limit of descriptors is that of some
runtimes: 1,024, which a program may raise without an upper limit."""

import ctypes
import errno
import os
import resource
import signal
import struct
import sys

import wait

_LIBC = ctypes.CDLL(None, use_errno=True)

# The sandbox is the one volume that can be written to.
PREPARE = """
set -e
mount --make-rprivate /
mount -t tmpfs none /mnt
mkdir /mnt/new /mnt/work
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/new,workdir=/mnt/work none /etc
rm -f /etc/resolv.conf
mount --bind "$1" "$1"
mount -o remount,ro,bind /
shift
exec "$@"
"""

# Numbers of the calls; since 5.3 they are the same on all architectures.
PIDFD_OPEN = 434
CLOSE_RANGE = 436

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ERRNO, _ALLOW = 0x00050000, 0x7fff0000


class Container:
    """Runs `argv` in the container. `reason` is the errno of the `refused`
    calls."""

    def __init__(self, sandbox, name, argv, refused=(), reason=errno.EPERM):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (1024, most))
        # What prepares it may make the refused calls: unshare itself does.
        refuse = [sys.executable, "-B", __file__, str(reason),
                  ",".join(map(str, refused))] if refused else []
        self.process = sandbox.run(name, [
            "unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
            "sh", "-c", PREPARE, "sh", sandbox.directory, *refuse, *argv],
            limit=limit)
        self.pid = wait.until(self._first, 10, "its first process is there")
        sandbox.at_end(self.stop)

    def _first(self):
        children = _children(self.process.pid)
        return children[0] if children else None

    def zombies(self):
        """Returns how many ended processes nobody has waited for."""
        return sum(_state(pid) == "Z" for pid in _children(self.pid))

    def stop(self, seconds=10):
        """Stops it as `docker stop` does. Returns the exit status."""
        if self.process.alive():
            os.kill(self.pid, signal.SIGTERM)
        return self.process.ended(seconds)


def _refuse(calls, reason):
    """Forbids these system calls to this process and its children."""
    code = [(_LOAD, 0, 0, 0)]
    for left, call in enumerate(reversed(calls)):
        code.insert(1, (_JUMP_IF_EQUAL, left + 1, 0, call))
    code += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | reason)]
    filters = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *each) for each in code))
    program = ctypes.create_string_buffer(struct.pack(
        "HxxxxxxP", len(code), ctypes.addressof(filters)))
    for option in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                   (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))):
        if _LIBC.prctl(*option) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def _children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return [int(word) for word in children.read().split()]
    except OSError:
        return []


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


if __name__ == "__main__":
    _refuse(list(map(int, sys.argv[2].split(","))), int(sys.argv[1]))
    os.execvp(sys.argv[3], sys.argv[3:])
