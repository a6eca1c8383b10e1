"""The sample configurations work as they are printed."""

import socket

import pytest

import wait
from namespace import Namespace


@pytest.fixture
def network(sandbox):
    return Namespace(sandbox)


def test_the_samples_of_nerve_and_haproxy_serve_a_request(network):
    said = network.output("sh", "-c", "haproxy -c -f haproxy/haproxy.cfg 2>&1")
    assert "[WARNING]" not in said and "deprecated" not in said
    network.zookeeper()
    proxy = network.start("haproxy", "haproxy", "-W", "-f",
                          "haproxy/haproxy.cfg")
    network.service("a", 8000)
    network.output("mkdir", "-p", "/run/nerve", "/var/lib/nerve")
    network.start("nerve", "build/nerve", "-c", "nerve/nerve.conf.json")
    [name] = wait.until(lambda: network.children(
        "/nerve/services/web/services"), 20, "registered")
    assert name == f"{socket.gethostname()}_0000000000"
    wait.until(lambda: network.fetch(3213) == "a", 20,
               "a answers through HAProxy")
    proxy.says(r'127\.0\.0\.1:8000 .*"GET / HTTP')
    state = network.output("socat", "-", "/run/haproxy.sock",
                           input="show servers state web\n")
    assert " 127.0.0.1 2 " in state and " 8000 " in state
    wait.until(lambda: "8000" in network.output(
        "cat", "/var/lib/synapse/state"), 10, "the snapshot is written")
