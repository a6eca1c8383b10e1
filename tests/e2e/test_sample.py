"""The sample configurations work as they are printed."""

import json

import pytest

import wait
from namespace import Namespace

# The nerve of the README's words "and an instance, by nerve".
WEB = {"instance_id": "a", "services": {"web": {
    "host": "127.0.0.1", "port": 8000, "zk_hosts": ["127.0.0.1:2181"],
    "zk_path": "/nerve/services/web/services"}}}


@pytest.fixture
def network(sandbox):
    return Namespace(sandbox)


def test_the_sample_of_haproxy_serves_an_instance(network, sandbox):
    assert "valid" in network.output(
        "sh", "-c", "haproxy -c -f haproxy/haproxy.cfg 2>&1")
    network.zookeeper()
    proxy = network.start("haproxy", "haproxy", "-W", "-f",
                          "haproxy/haproxy.cfg")
    network.service("a", 8000)
    network.start("nerve", "build/nerve", "-c",
                  sandbox.write("nerve.json", json.dumps(WEB)))
    wait.until(lambda: network.fetch(3213) == "a", 20,
               "a answers through HAProxy")
    proxy.says(r'127\.0\.0\.1:8000 .*"GET / HTTP')
    state = network.output("socat", "-", "/run/haproxy.sock",
                           input="show servers state web\n")
    assert " 127.0.0.1 2 " in state and " 8000 " in state
    wait.until(lambda: "8000" in network.output(
        "cat", "/var/lib/synapse/state"), 10, "the snapshot is written")


def test_the_sample_of_nerve_registers_its_service(network):
    network.zookeeper()
    network.service("a", 8000)
    network.start("nerve", "build/nerve", "-c", "nerve/nerve.conf.json")
    [name] = wait.until(lambda: network.children(
        "/nerve/services/simple_http_service/services"), 20, "registered")
    assert name == "service_a_node_1_0000000000"
