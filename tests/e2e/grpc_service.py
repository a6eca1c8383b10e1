"""A gRPC server of python3-grpcio with the service grpc.health.v1.Health.

It runs in a process of its own, because gRPC and fork() do not mix:

    grpc_service.py HOST PORT NAMES [CERTIFICATE]

serves {service: status} of the JSON file NAMES, which it reads for each
request. If the file has null, it answers UNIMPLEMENTED. The messages are
written by hand, so that no code is shared with nerve's.
"""

import json
import os
import sys

import address
import wait

SERVING, NOT_SERVING = 1, 2


class GrpcService:
    """One server; `say({service: status})` changes what it says."""

    def __init__(self, sandbox, name, statuses, certificate=None,
                 host=address.HOST):
        self.host = host
        self.port = address.port(host)
        self._names = sandbox.path(f"{name}.statuses")
        self.say(statuses)
        self.process = sandbox.run(
            name, [sys.executable, os.path.abspath(__file__), host,
                   str(self.port), self._names, *filter(None, [certificate])])
        self.process.says("serves grpc.health.v1")

    def say(self, statuses):
        with open(self._names + ".new", "w") as file:
            json.dump(statuses, file)
        os.rename(self._names + ".new", self._names)

    def asked(self, text):
        """Waits until it has been asked for the service `text`."""
        wait.until(lambda: self.process.lines(f"asked for {text!r}"), 10,
                   f"the server is asked for {text!r}")


def main(host, port, names, certificate=None):
    import concurrent.futures
    import signal

    import grpc

    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    def check(request, context):
        """`request` is field 1, a string; the answer field 1, an enum."""
        service = request[2:].decode() if request else ""
        print(f"asked for {service!r}", flush=True)
        with open(names) as file:
            statuses = json.load(file)
        if statuses is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")
        if service not in statuses:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([0x08, statuses[service]])

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health",
        {"Check": grpc.unary_unary_rpc_method_handler(check)})])
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if certificate:
        with open(certificate, "rb") as file:
            pem = file.read()
        server.add_secure_port(place,
                               grpc.ssl_server_credentials([(pem, pem)]))
    else:
        server.add_insecure_port(place)
    server.start()
    print("serves grpc.health.v1", flush=True)
    signal.sigwait([signal.SIGTERM])
    server.stop(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
