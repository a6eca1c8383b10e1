"""Addresses for what a test starts.

Each run has a loopback address of its own, made from its process id. Ports on
it are counted up, so two runs on one machine never meet, and no outgoing
connection (these leave from 127.0.0.1) can take a port that is free now.
"""

import itertools
import os
import socket

_BASE = (127 << 24) | (1 << 23) | (os.getpid() & 0x3FFFFF) << 1
_ports = itertools.count(21000)


def _text(number):
    return socket.inet_ntoa(number.to_bytes(4, "big"))


HOST = _text(_BASE)
OTHER_HOST = _text(_BASE | 1)


def port(host=HOST):
    """Returns a port that nothing listens on, and that is given out once."""
    for number in _ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, number))
            except OSError:
                continue
            return number
