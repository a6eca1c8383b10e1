"""Addresses for what a test starts.

Each run has a loopback address of its own, made from its process id, and
counts its ports up. So two runs on one machine never meet, and no outgoing
connection (these leave from 127.0.0.1) can take a port that is free now. Where
a test needs an address that other runs also have, such as ::1, simultaneous
runs probably use different ports.
"""

import errno
import itertools
import os
import socket

_BASE = (127 << 24) | (1 << 23) | (os.getpid() & 0x3FFFFF) << 1
_ports = itertools.count(21000 + os.getpid() % 20 * 200)


def _text(number):
    return socket.inet_ntoa(number.to_bytes(4, "big"))


HOST = _text(_BASE)
OTHER_HOST = _text(_BASE | 1)


def port(host=HOST):
    """Returns a port that nothing listens on. Each port is given out once."""
    while True:
        number = next(_ports)
        if _is_free(host, number):
            return number


def ports(count):
    """Returns such ports that follow each other."""
    found = []
    while len(found) < count:
        number = port()
        found = [*found, number] if found and number == found[-1] + 1 \
            else [number]
    return found


def span(numbers):
    """Returns the range of such ports as text."""
    return f"{numbers[0]}-{numbers[-1]}"


def _is_free(host, number):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
