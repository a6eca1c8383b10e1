"""A real name server (dnsmasq) on a loopback port, and HAProxy's section for
it."""

import os
import signal

import address
import wait

SECTION = "e2e"


class NameServer:
    """Knows the names that `tell` gives it, and no others."""

    def __init__(self, sandbox, port=None):
        self._file = sandbox.path("known-hosts")
        self._known = {}
        self.port = port or address.port()
        self._write()
        self.process = sandbox.run("dnsmasq", [
            "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts",
            "--conf-file=/dev/null", "--bind-interfaces", "--user=root",
            "--pid-file", f"--port={self.port}",
            f"--listen-address={address.HOST}", f"--addn-hosts={self._file}",
            "--log-queries", "--log-facility=-", "--local=/e2e/"])
        wait.until(lambda: self._loads() > 0, 20, "the name server is up")

    def _loads(self):
        return len(self.process.lines("read .*hosts"))

    def _write(self):
        with open(f"{self._file}.new", "w") as file:
            file.writelines(f"{host} {name}\n"
                            for name, host in self._known.items())
        os.chmod(f"{self._file}.new", 0o644)
        os.rename(f"{self._file}.new", self._file)

    def tell(self, name, host):
        """Gives `name` the address `host`, or none if `host` is None."""
        self._known[name] = host
        if host is None:
            del self._known[name]
        self._write()
        before = self._loads()
        self.process.send(signal.SIGHUP)
        wait.until(lambda: self._loads() > before, 20, "it has read the names")

    def section(self):
        """Returns HAProxy's section for it. HAProxy keeps an answer for one
        second at most, so a test need not wait."""
        return [f"resolvers {SECTION}",
                f"  nameserver one {address.HOST}:{self.port}",
                "  resolve_retries 2", "  timeout resolve 200ms",
                "  timeout retry 200ms", "  hold valid 200ms",
                "  hold nx 400ms", "  hold other 400ms", "  hold refused 400ms",
                "  hold timeout 400ms", "  hold obsolete 400ms"]
