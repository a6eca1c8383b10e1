"""Anyone with write access to ZooKeeper can write anything. None of it reaches
HAProxy, each bad znode is reported, and the other instances stay.

HAProxy does not report the commands that it receives. But each command that
the agent sends is either acknowledged, and counted in a log line of the
service, or refused, and logged as an error. So these counts include all
commands.
"""

import json
import os
import re

import program
import wait
from haproxy import web, weighted
from service import compact
from zookeeper import register

GOOD = 2
# A new instance takes two commands: its address and `ready`.
COMMANDS = 2 * GOOD


def corpus():
    """Returns data that are no instance: (what they test, the data of a
    znode)."""
    with open(os.path.join(program.ROOT, "tests/data/instance/refused.json"),
              encoding="ascii") as file:
        cases = json.load(file)
    found = [(it["about"], it["data"].encode() if "data" in it
              else bytes.fromhex(it["hex"])) for it in cases]
    return found + [
        ("nearly a megabyte", b" " * 1_000_000),
        ("a megabyte of depth", b"[" * 1_000_000),
        ("an instance and 64 KB", compact(
            {"host": "10.0.0.1", "port": 80, "labels": "x" * 65536}))]


def acknowledged(proxy):
    """Returns how many commands HAProxy has acknowledged."""
    lines = proxy.process.lines(r"^synapse: web: .* acknowledged")
    return sum(int(re.search(r"(\d+) commands? ack", line).group(1))
               for line in lines)


def test_no_hostile_znode_reaches_haproxy_and_each_is_reported(
        sandbox, healthy, witness, path):
    services = [sandbox.service(f"good-{n}") for n in range(GOOD)]
    proxy = sandbox.haproxy([web(healthy, path, slots=16, server="")])
    for service in services:
        register(witness, path, service.payload(service.name))
    proxy.serves(services)
    cases = corpus()
    assert len(cases) >= 50
    with sandbox.load(proxy, "hostile znodes") as load:
        for number, (_, data) in enumerate(cases):
            register(witness, path, data, f"bad{number}_")
        for number, (about, _) in enumerate(cases):
            wait.until(lambda: proxy.process.lines(rf"/bad{number}_\d+ "), 20,
                       f"{about} is reported")
        proxy.serves(services)
    load.assert_none_failed()
    assert acknowledged(proxy) == COMMANDS
    assert not proxy.process.lines(r"`.*` refused:")
    text = proxy.process.text()
    assert not re.search(r"[^\n\t -~]", text)


def test_what_is_hostile_beside_a_good_address_is_dropped_or_bounded(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([weighted(healthy, path)])
    register(witness, path, one.payload(
        "web/s1;disable server web/s1\n", weight=1e9,
        haproxy_server_options="; shutdown sessions server web/s1",
        labels={"a": "\n;show stat"}))
    proxy.serves([one])
    proxy.process.says("weight: 1000000000 is above 256, used as 256")
    proxy.process.says('"; shutdown sessions server web/s1" is not applied')
    assert proxy.weights() == {one.address: 256}
    wait.until(lambda: acknowledged(proxy) == 3, 10, "all is acknowledged")
    assert not proxy.process.lines(r"`.*` refused:")
