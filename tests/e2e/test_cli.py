"""The agent's commands on a stats socket."""

import json
import re

import pytest

import wait
from haproxy import web
from zookeeper import register


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


def start(sandbox, healthy, path, **synapse):
    return sandbox.haproxy([web(healthy, path)], synapse=synapse)


def instances(proxy):
    """Returns what `show synapse service web` says about each instance."""
    told = json.loads(proxy.ask("show synapse service web json"))
    return {it["instance"]: it["state"] for it in told["instances"]}


def test_what_is_known_is_shown_to_people_and_to_programs(
        sandbox, healthy, witness, path, one):
    proxy = start(sandbox, healthy, path)
    register(witness, path, one.payload("one"))
    register(witness, path, b"\x1b[2Jrubbish", "bad\u00e4_")
    proxy.serves([one])
    wait.until(lambda: sorted(instances(proxy).values()) ==
               ["invalid", "ready"], 5, "both are known")
    text = proxy.ask("show synapse")
    assert re.search(r"^connected  \S+  0x", text, re.M)
    assert re.search(r"^degraded  web +1/1 +1/8 +1 znode is refused$", text,
                     re.M)
    text = proxy.ask("show synapse service web")
    assert re.search(rf"^ready +{one.address} +s\d +1 +one +-$", text, re.M)
    assert "\x1b" not in text and r"bad\xc3\xa4_" in text
    [slot] = proxy.slots().values()
    text = proxy.ask(f"show synapse instance web/{slot}")
    assert one.address in text
    assert json.loads(proxy.ask(f"show synapse instance web/{slot} json"))[
        "state"] == "ready"
    wait.until(lambda: re.search(
        rf"^\S+Z  web +{one.address} +absent +ready +\d",
        proxy.ask("show synapse events"), re.M), 5, "it is an event")
    told = json.loads(proxy.ask("show synapse events json"))
    assert told["events"][0]["number"] == 1
    told = json.loads(proxy.ask("show synapse json"))
    assert told["totals"]["services"] == len(told["services"]) == 1


def test_a_dump_has_no_name_address_or_data(
        sandbox, healthy, witness, path, one):
    proxy = start(sandbox, healthy, path)
    register(witness, path, one.payload("a-name", labels={"secret": "x"}))
    # HAProxy uses an instance a moment before the agent knows it.
    wait.until(lambda: instances(proxy) == {one.address: "ready"}, 10, "ready")
    text = proxy.ask("show synapse dump")
    for word in (one.address, "a-name", "secret", '"web"', path, healthy.hosts):
        assert word not in text
    told = json.loads(text)
    assert told["services"][0]["instances"] == [
        {"state": "ready", "instance": "instance-1"}]


@pytest.mark.parametrize("asked, said", [
    ("service nobody", "nobody: no such service"),
    ("service", "service NAME: no such service"),
    ("instance web/x", "web/x is no slot"),
    ("instance web/s1", "web/s1 is empty"),
    ("instance web", "web is not BACKEND/SLOT of a service"),
    ("nothing", "show synapse [service NAME|events|"),
])
def test_what_does_not_exist_is_named(sandbox, healthy, asked, said):
    proxy = start(sandbox, healthy, "/nothing")
    assert proxy.ask(f"show synapse {asked}").startswith(said)


COMMANDS = ["resync", "freeze web", "thaw web", "maint 127.0.0.1:1",
            "drain 127.0.0.1:1", "ready 127.0.0.1:1", "reload"]


def test_without_runtime_changes_a_socket_without_a_name_changes_nothing(
        sandbox, healthy, path):
    """HAProxy tells a Lua command neither the level nor the user of its
    socket, only the socket's name. A socket without a name may have any
    level."""
    proxy = start(sandbox, healthy, path)
    for command in COMMANDS:
        assert "cannot tell the level of this stats socket" in proxy.ask(
            f"synapse {command}")


def over(proxy, socket, command):
    """Returns the answer to a command on another stats socket."""
    proxy.socket = socket
    return proxy.ask(command)


def test_a_socket_with_a_name_changes_something_from_level_operator_on(
        sandbox, healthy, path):
    """`show synapse` works at every level."""
    sockets = {level: sandbox.path(f"{level}.sock")
               for level in ("user", "operator", "admin")}
    proxy = sandbox.haproxy([web(healthy, path)], extra=[
        f"stats socket {file} level {level} name {level}"
        for level, file in sockets.items()])
    for command in COMMANDS:
        assert over(proxy, sockets["user"], f"synapse {command}") == (
            "the stats socket user has level user; this needs level operator "
            "or admin\n\n")
    assert "web" in over(proxy, sockets["user"], "show synapse")
    for level in ("operator", "admin"):
        for command, said in zip(COMMANDS, [
                "reading 1 service again", "web is frozen until",
                "web follows ZooKeeper again"] +
                ["127.0.0.1:1: no service has such an instance"] * 3 +
                [f"{proxy.synapse_file} is what is served already"]):
            assert over(proxy, sockets[level],
                        f"synapse {command}").startswith(said)


def test_a_frozen_service_stays_as_it_is_until_it_is_thawed(
        sandbox, healthy, witness, path, one):
    proxy = start(sandbox, healthy, path, runtime_changes=True)
    node = register(witness, path, one.payload("one"))
    proxy.serves([one])
    assert "nobody: no such service" in proxy.ask("synapse freeze nobody")
    assert "synapse freeze NAME" in proxy.ask("synapse freeze")
    assert "web is not frozen" in proxy.ask("synapse thaw web")
    assert "frozen until" in proxy.ask("synapse freeze web")
    # This event has neither an instance nor a number of instances.
    assert re.search(r"web +- +following +frozen", proxy.ask(
        "show synapse events"))
    two = sandbox.service("two")
    register(witness, path, two.payload("two"))
    witness.delete(node)
    wait.always(lambda: proxy.serving() == [one.address], 1, "nothing changes")
    assert "frozen by command" in proxy.ask("show synapse")
    assert "web follows ZooKeeper again" in proxy.ask("synapse thaw web")
    proxy.serves([two])


def test_a_resync_reads_everything_again(
        sandbox, healthy, witness, path, one):
    proxy = start(sandbox, healthy, path, runtime_changes=True)
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    [slot] = proxy.slots().values()
    # The number of usable servers has not changed, so the agent does not look
    # by itself.
    assert proxy.ask(f"set server web/{slot} weight 2") == "\n"
    assert "reading 1 service again" in proxy.ask("synapse resync")
    wait.until(lambda: proxy.weights() == {one.address: 1}, 5, "repaired")
    assert "reading 1 service again" in proxy.ask("synapse resync web")
    assert "nobody: no such service" in proxy.ask("synapse resync nobody")
