"""Certificates for servers of a test, made by openssl in its directory."""

import ssl
import subprocess


class Authority:
    """Signs certificates; `file` is what a client needs to trust it."""

    def __init__(self, sandbox, name):
        self._sandbox = sandbox
        self._name = name
        self.file = sandbox.path(f"{name}.pem")
        self._key = sandbox.path(f"{name}.key")
        _openssl("req", "-x509", *_new_key(self._key), "-out", self.file,
                 "-days", "1", "-subj", f"/CN={name}")

    def context(self, host):
        """A server's side of TLS, with a certificate for `host`."""
        base = self._sandbox.path(f"{self._name}-{host}")
        _openssl("req", *_new_key(f"{base}.key"), "-out", f"{base}.csr",
                 "-subj", f"/CN={host}")
        names = self._sandbox.write(f"{self._name}-{host}.ext",
                                    f"subjectAltName=DNS:{host}\n")
        _openssl("x509", "-req", "-in", f"{base}.csr", "-CA", self.file,
                 "-CAkey", self._key, "-out", f"{base}.pem", "-days", "1",
                 "-extfile", names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{base}.pem", f"{base}.key")
        return context


def _new_key(file):
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-keyout", file]


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True,
                   timeout=30)
