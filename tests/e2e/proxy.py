"""A TCP proxy between a client and its server that can cut connections."""

import socket
import threading

import address


class Proxy:
    """Forwards connections to `port`. With `cut_after` it cuts one connection
    after so many bytes of answers, in the middle of whatever it carries."""

    def __init__(self, host, port, cut_after):
        self._server = (host, port)
        self._left = cut_after
        self._sockets = []
        self._listener = socket.create_server((address.HOST, address.port()))
        self.hosts = "%s:%d" % self._listener.getsockname()
        self._start(self._accept)

    def _start(self, target, *arguments):
        threading.Thread(target=target, args=arguments, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
            except OSError:
                return
            self._sockets += [client, server]
            self._start(self._forward, client, server, False)
            self._start(self._forward, server, client, True)

    def _forward(self, source, target, counted):
        try:
            while True:
                data = source.recv(4096)
                if not data or (counted and self._is_cut(len(data))):
                    break
                target.sendall(data)
        except OSError:
            pass
        self._end(source, target)

    @staticmethod
    def _end(*sockets):
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _is_cut(self, size):
        before, self._left = self._left, self._left - size
        return before > 0 >= self._left

    def cut(self):
        """Cuts all connections; forwards new ones."""
        self._end(*self._sockets)

    def close(self):
        for one in [self._listener, *self._sockets]:
            one.close()
