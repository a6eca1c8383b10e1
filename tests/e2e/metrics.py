"""What nerve reports: its HTTP pages, and what it sends to statsd."""

import http.client
import re
import select
import socket
import subprocess

import address
import wait

_SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)$')


class Pages:
    """nerve's pages at `metrics_listen`."""

    def __init__(self, host=address.HOST):
        self.host = host
        self.port = address.port(host)
        self.listen = f"{host}:{self.port}"

    def ask(self, path, method="GET", body=None):
        """Returns the status and the body; (None, "") without a server."""
        connection = http.client.HTTPConnection(self.host, self.port,
                                                timeout=5 * wait.FACTOR)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None, ""
        finally:
            connection.close()

    def text(self):
        status, text = self.ask("/metrics")
        assert status == 200
        return text

    def samples(self):
        """Returns all samples by name and labels, as they are written."""
        found = [_SAMPLE.match(line).groups()
                 for line in self.text().splitlines() if line[0] != "#"]
        return {(name, labels or ""): float(value)
                for name, labels, value in found}

    def value(self, name, labels=""):
        return self.samples()[name, labels]

    def counts(self, name, labels, least, seconds=10):
        """Waits until a sample has at least this value."""
        wait.until(lambda: self.value(name, labels) >= least, seconds,
                   f"{name}{{{labels}}} is {least}")


def lint(text):
    """Asserts that promtool finds nothing wrong with the metrics."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text,
                          text=True, capture_output=True, timeout=30,
                          check=False)
    return done.returncode, done.stdout + done.stderr


class Statsd:
    """A socket that receives dogstatsd's lines."""

    def __init__(self, sandbox, host="127.0.0.1"):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.port = self._socket.getsockname()[1]
        self._lines = []
        sandbox.at_end(self._socket.close)

    def lines(self):
        """Returns all lines so far."""
        while select.select([self._socket], [], [], 0)[0]:
            self._lines.append(self._socket.recv(2048).decode())
        return self._lines

    def gets(self, pattern):
        """Waits for a line that matches `pattern`."""
        wait.until(lambda: any(re.fullmatch(pattern, line)
                               for line in self.lines()), 10,
                   f"statsd gets {pattern!r}: {self._lines}")
