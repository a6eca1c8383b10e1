"""A proxy whose connection breaks while the server's answer is on its way."""

import socket
import threading

import address
import wait


class BrokenLine:
    """Forwards everything until a client sends `trigger`. Forwards that too,
    but not the server's answer, and closes both connections as soon as
    `happened()` says that the server has done its work. After that it forwards
    everything again. `broken` is set once it has closed them."""

    def __init__(self, sandbox, server, trigger, happened):
        self.host = address.HOST
        self.port = address.port()
        self.hosts = f"{self.host}:{self.port}"
        self.addresses = [self.hosts]
        self.broken = threading.Event()
        self._trigger = trigger
        self._happened = happened
        self._server = (address.HOST, server.port)
        self._listener = socket.create_server((self.host, self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        sandbox.at_last(lambda: _end(self._listener))

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,),
                             daemon=True).start()

    def _serve(self, client):
        try:
            server = socket.create_connection(self._server)
        except OSError:
            client.close()
            return
        silent = threading.Event()
        threading.Thread(target=self._answer, args=(server, client, silent),
                         daemon=True).start()
        while self._pass_on(client, server, silent):
            pass
        _end(server)

    def _pass_on(self, client, server, silent):
        """Forwards a part of the client's requests."""
        try:
            part = client.recv(65536)
            if self._trigger in part and not self.broken.is_set():
                silent.set()
            server.sendall(part)
            return bool(part)
        except OSError:
            return False

    def _answer(self, server, client, silent):
        try:
            while part := server.recv(65536):
                if silent.is_set():
                    wait.until(self._happened, 10, "the request is done")
                    self.broken.set()
                    break
                client.sendall(part)
        except OSError:
            pass
        _end(client)
        _end(server)


def _end(connection):
    """Wakes the reader of a socket and closes it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()
