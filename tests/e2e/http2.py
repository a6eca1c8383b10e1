"""A server that answers in frames of HTTP/2, right or wrong.

The frames are written by hand, and the headers as literals without a table, so
that a test can send what no library would send.
"""

import socket

from scripted import Scripted

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b""):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) +
            stream.to_bytes(4, "big") + payload)


def headers(lines, end=False):
    """Returns a frame of headers or trailers: [(name, value)]."""
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), 1,
                 b"".join(b"\0" + _string(name) + _string(value)
                          for name, value in lines))


def data(body, end=False):
    return frame(DATA, END_STREAM if end else 0, 1, body)


def _string(text):
    """Returns an HPACK string without Huffman coding."""
    raw = text.encode()
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    rest, length = len(raw) - 127, b"\x7f"
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return length + bytes([rest]) + raw


class Http2(Scripted):
    """Answers the first request of every connection with `frames`. Then it
    waits until the connection ends, or with `close` ends it."""

    def __init__(self, sandbox, frames, close=False):
        super().__init__(sandbox, frames, close=close)

    def _serve(self, connection):
        with connection, connection.makefile("rb") as file:
            connection.settimeout(30)
            try:
                assert file.read(len(PREFACE)) == PREFACE
                connection.sendall(frame(SETTINGS, 0, 0))
                self._wait_for_request(connection, file)
                for part in self._answer:
                    connection.sendall(part)
                # Closing with unread bytes would discard what was sent.
                if self._close:
                    connection.shutdown(socket.SHUT_WR)
                while file.read(1):
                    pass
            except OSError:
                pass

    @staticmethod
    def _wait_for_request(connection, file):
        """Reads to the end of the request, and acknowledges the settings."""
        flags = 0
        stream = 0
        while stream == 0 or not flags & END_STREAM:
            head = file.read(9)
            if len(head) < 9:
                raise OSError("no request")
            length, kind, flags = (int.from_bytes(head[:3], "big"), head[3],
                                   head[4])
            stream = int.from_bytes(head[5:], "big")
            file.read(length)
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(frame(SETTINGS, ACK, 0))
