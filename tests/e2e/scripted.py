"""A server that gives any answer, right or wrong, and keeps what it received.

It runs in the test's own process. `answer` is a list of bytes to send and of
numbers of seconds to pause between them.
"""

import socket
import threading

import address


class Scripted:
    """Answers every connection with `answer` once it has received something
    that ends in `end`; `requests` has what it received.

    With `tls`, an SSL context, it does so over TLS, and `names` has the server
    names that clients asked for.
    """

    def __init__(self, sandbox, answer, host=address.HOST, close=True,
                 tls=None, end=b"\r\n\r\n"):
        self.host = host
        self.port = address.port(host)
        self.requests = []
        self.names = []
        self._answer = answer
        self._tls = tls
        self._close = close
        self._end = end
        self._over = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, self.port),
                                              family=family, backlog=100)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        sandbox.at_last(self.close)

    def _accept(self):
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                if self._tls:
                    connection = self._secure(connection)
                self.requests.append(_head(connection, self._end))
                for part in self._answer:
                    if isinstance(part, bytes):
                        connection.sendall(part)
                    else:
                        self._over.wait(part)
                if not self._close:
                    self._over.wait()
            except OSError:
                pass

    def _secure(self, connection):
        self._tls.sni_callback = lambda _, name, __: self.names.append(name)
        return self._tls.wrap_socket(connection, server_side=True)

    def close(self):
        """Stops listening; no thread stays in accept()."""
        if self._over.is_set():
            return
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()


def _head(connection, end):
    text = b""
    while not text.endswith(end):
        part = connection.recv(4096)
        if not part:
            break
        text += part
    return text.decode("latin-1")


def answer(body=b"", status=200, *headers):
    """Returns one whole answer, as bytes."""
    lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body
