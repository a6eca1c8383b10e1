"""A network of one test in which addresses can be made unreachable."""

import ctypes
import os
import subprocess

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_NETWORK = 0x40000000


class Network:
    """`with Network() as network:` puts this thread, and what it starts, into
    a network namespace of its own."""

    def __enter__(self):
        self._before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _check(_LIBC.unshare(_NEW_NETWORK))
        _ip("link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        _check(_LIBC.setns(self._before, _NEW_NETWORK))
        os.close(self._before)

    @staticmethod
    def cut(host):
        """Drops all packets to `host` from now on, without an error to anyone;
        open connections hang as well."""
        _ip("route", "add", "blackhole", f"{host}/32", "table", "local")

    @staticmethod
    def mend(host):
        _ip("route", "del", "blackhole", f"{host}/32", "table", "local")


def _ip(*words):
    subprocess.run(["ip", *words], check=True, timeout=30)


def _check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
