"""Certificates for a test's servers, made by openssl in the test's
directory."""

import ssl
import subprocess


class Authority:
    """Signs certificates. A client trusts it by `file`."""

    def __init__(self, sandbox, name):
        self._sandbox = sandbox
        self._name = name
        self.file = sandbox.path(f"{name}.pem")
        self._key = sandbox.path(f"{name}.key")
        _openssl("req", "-x509", *_new_key(self._key), "-out", self.file,
                 "-days", "1", "-subj", f"/CN={name}")

    def certificate(self, host, days=1):
        """Returns the file of a certificate for `host`, with its key. It ends
        after `days`; below 0 it has ended."""
        base = self._sandbox.path(f"{self._name}-{host}")
        _openssl("req", *_new_key(f"{base}.key"), "-out", f"{base}.csr",
                 "-subj", f"/CN={host}")
        names = self._sandbox.write(f"{self._name}-{host}.ext",
                                    f"subjectAltName=DNS:{host}\n")
        _openssl("x509", "-req", "-in", f"{base}.csr", "-CA", self.file,
                 "-CAkey", self._key, "-out", f"{base}.pem", "-days", str(days),
                 "-extfile", names)
        with open(f"{base}.pem", "a") as file, open(f"{base}.key") as key:
            file.write(key.read())
        return f"{base}.pem"

    def context(self, host):
        """Returns a server's TLS context with a certificate for `host`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate(host))
        return context


def _new_key(file):
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-keyout", file]


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True,
                   timeout=30)
