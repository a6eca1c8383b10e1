"""Where instances come from, and which of them a service uses."""

import json

import pytest

import program
import wait
from haproxy import Backend, web
from service import compact
from zookeeper import children, register

def discovery(zookeeper, path, **more):
    """Returns one `discovery`, or one of several watchers."""
    return {"method": "zookeeper", "hosts": [zookeeper.hosts], "path": path,
            **more}


def found(zookeeper, path, service=None, **more):
    """Returns a backend with more keys in its `discovery`."""
    return web(zookeeper, path, service={
        "discovery": discovery(zookeeper, path, **more), **(service or {})})


def endpoint(one):
    return {"host": one.host, "port": one.port}


def serverset(one, status):
    return compact({"serviceEndpoint": {"host": "10.0.0.1", "port": 80},
                    "additionalEndpoints": {"http": endpoint(one)},
                    "status": status, "shard": 0})


def go_nerve(one, available):
    return compact({"available": available, "unavailable_reason": "",
                    **endpoint(one), "name": "i-1",
                    "haproxy_server_options": "", "weight": 255, "labels": {}})


def curator(one, enabled):
    return compact({"name": "web", "id": "6ac2", "address": one.host,
                    "port": one.port, "sslPort": None, "payload": None,
                    "registrationTimeUTC": 1, "serviceType": "DYNAMIC",
                    "uriSpec": None, "enabled": enabled})


# For each format: how its znodes are read; an instance that serves and one
# that does not; whether the second drains, or is no instance at all.
FAMILIES = {
    "go-nerve": ({}, lambda one: go_nerve(one, True),
                 lambda one: go_nerve(one, False), True),
    "serverset": ({"endpoint_name": "http"},
                  lambda one: serverset(one, "ALIVE"),
                  lambda one: serverset(one, "STOPPING"), False),
    "curator": ({}, lambda one: curator(one, True),
                lambda one: curator(one, False), True),
}


@pytest.mark.parametrize("method", FAMILIES)
def test_the_znodes_of_another_family_are_used_and_drained(
        method, sandbox, healthy, witness, path):
    settings, serving, leaving, drains = FAMILIES[method]
    one = sandbox.service("one")
    proxy = sandbox.haproxy([found(healthy, path, {
        "use_previous_backends": False}, decode={"method": method,
                                                 **settings})])
    znode = register(witness, path, serving(one))
    proxy.serves([one])
    assert proxy.get() == (200, "one")
    witness.set(znode, leaving(one))
    if drains:
        wait.until(lambda: proxy.weights() == {one.address: 0}, 10,
                   "its weight is 0")
    else:
        proxy.serves([])
    witness.set(znode, serving(one))
    wait.until(lambda: proxy.weights() == {one.address: 1}, 10, "it serves")


# The guard took the snapshot's instances for removed all at once, and used
# both.
def test_another_endpoint_takes_the_place_of_the_last_one_with_a_reload(
        sandbox, healthy, witness, path):
    crowd = sandbox.crowd("one", 8).members
    old, new = crowd[:4], crowd[4:]
    decode = {"method": "serverset", "endpoint_name": "old"}
    proxy = sandbox.haproxy([found(healthy, path, decode=decode)])
    for before, after in zip(old, new):
        register(witness, path, compact({
            "serviceEndpoint": endpoint(before), "status": "ALIVE",
            "additionalEndpoints": {"old": endpoint(before),
                                    "new": endpoint(after)}}), "member_")
    proxy.serves(old)
    proxy.remembers(old)
    decode["endpoint_name"] = "new"
    proxy.configure()
    with sandbox.load(proxy, "a reload with another endpoint") as load:
        proxy.reload()
        proxy.serves(new)
    load.assert_none_failed()


def two_sources(sandbox, healthy, path, resolver):
    """Returns a backend with two ensembles, the shared one first."""
    other = sandbox.zookeeper("other-zookeeper")
    backend = found(healthy, path, {"discovery_multi": {
        "watchers": {"other": discovery(other, path)},
        "resolver": resolver}})
    return sandbox.haproxy([backend]), other.client(), other


def test_a_union_has_the_instances_of_two_ensembles(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy, client, other = two_sources(
        sandbox, healthy, path, {"method": "union"})
    register(witness, path, one.payload("one"))
    register(client, path, two.payload("two"))
    proxy.serves([one, two])
    proxy.remembers([one, two])
    other.stop()
    proxy.reload()
    proxy.serves([one, two])
    three = sandbox.service("three")
    register(witness, path, three.payload("three"))
    proxy.serves([one, two, three])


def test_a_sequence_fails_over_and_comes_back_and_no_request_fails(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy, client, _ = two_sources(sandbox, healthy, path, {
        "method": "sequential", "sequential_order": ["primary", "other"]})
    register(client, path, two.payload("two"))
    znode = register(witness, path, one.payload("one"))
    proxy.serves([one])
    with sandbox.load(proxy, "fail over and back") as load:
        wait.until(lambda: load.answers["one"] > 99, 10, "the first serves")
        witness.delete(znode)
        proxy.serves([two])
        wait.until(lambda: load.answers["two"] > 99, 10, "the second serves")
        register(witness, path, one.payload("one"))
        proxy.serves([one])
    load.assert_none_failed()


def test_label_filters_keep_out_whoever_does_not_pass(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([found(healthy, path, label_filters=[
        {"label": "az", "value": "a", "condition": "equals"},
        {"label": "canary", "value": True, "condition": "not-equals"}])])
    register(witness, path, one.payload("one", labels={"az": "a"}))
    znode = register(witness, path, two.payload("two", labels={"az": "b"}))
    register(witness, path, two.payload("no labels"))
    proxy.serves([one])
    witness.set(znode, two.payload("two", labels={"az": "a"}))
    # Of several znodes with the same host:port the newest counts. This one has
    # no label az.
    wait.always(lambda: proxy.serving() == [one.address], 0.3,
                "the newest znode is the one that counts")
    newest = max(children(witness, path), key=lambda name: name[-10:])
    witness.delete(f"{path}/{newest}")
    proxy.serves([one, two])
    witness.set(znode, two.payload("two", labels={"az": "a", "canary": True}))
    proxy.serves([one])


def test_the_leader_alone_serves_and_the_next_one_follows_it(
        sandbox, healthy, witness, path):
    services = [sandbox.service(name) for name in ("one", "two", "three")]
    proxy = sandbox.haproxy([web(healthy, path, service={
        "leader_election": True})])
    znodes = [register(witness, path, it.payload(it.name), f"{it.name}_")
              for it in services]
    for service, znode in zip(services, znodes):
        proxy.serves([service])
        witness.delete(znode)


def test_no_instance_without_a_sequence_is_the_leader_and_that_is_told(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path, service={
        "leader_election": True})])
    witness.create(f"{path}/plain", one.payload("one"), ephemeral=True,
                   makepath=True)
    proxy.process.says("web: no instance has a sequence")
    assert proxy.serving() == []
    register(witness, path, two.payload("two"))
    proxy.serves([two])


@pytest.mark.parametrize("key", ["backend_port_override",
                                 "server_port_override"])
def test_another_port_takes_the_place_of_the_one_in_the_znode(
        key, sandbox, healthy, witness, path):
    one = sandbox.service("one")
    backend = web(healthy, path)
    (backend.haproxy if key.startswith("server") else backend.service)[
        key] = str(one.port)
    proxy = sandbox.haproxy([backend])
    register(witness, path, compact({"host": one.host, "port": 1}))
    proxy.serves([one])


def test_a_static_service_needs_no_ensemble(sandbox):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([Backend(hosts=["none"], service={
        "discovery": {"method": "base"},
        "default_servers": [endpoint(one)]})])
    proxy.serves([one])
    assert proxy.get() == (200, "one")
    assert not proxy.process.lines("session")


# The snapshot also has the default servers, and the agent kept them as the
# previous instances. So a service that reads nothing kept the default servers
# of its first start, whatever the configuration said.
def test_default_servers_are_those_of_the_configuration_after_a_reload(
        sandbox, healthy, witness, path):
    one, two, other = (sandbox.service(name)
                       for name in ("one", "two", "other"))
    static = Backend("static", hosts=["none"], service={
        "discovery": {"method": "base"}, "default_servers": [endpoint(one)]})
    proxy = sandbox.haproxy([web(healthy, path), static])
    register(witness, path, other.payload("other"))
    proxy.serves([other])
    proxy.remembers([one, other])
    static.service["default_servers"] = [endpoint(two)]
    proxy.configure()
    proxy.reload()
    proxy.serves([two], backend="static")
    proxy.serves([other])


def test_default_servers_are_kept_beside_those_of_zookeeper(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path, service={
        "default_servers": [endpoint(two)], "keep_default_servers": True})])
    proxy.serves([two])
    znode = register(witness, path, one.payload("one"))
    proxy.serves([one, two])
    witness.delete(znode)
    proxy.serves([two])


def test_a_missing_path_is_waited_for_and_not_made(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([web(healthy, path)])
    proxy.process.says(f"{path}: no such znode")
    assert not witness.exists(path)
    register(witness, path, one.payload("one"))
    proxy.serves([one], seconds=5)


def test_a_missing_path_is_made_where_the_configuration_says_so(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([found(healthy, path, create_path=True)])
    wait.until(lambda: witness.exists(path), 10, "the path is there")
    data, stat = witness.get(path)
    assert (data, stat.ephemeralOwner) == (b"", 0)
    register(witness, path, one.payload("one"))
    proxy.serves([one])


PAUSE = 2


@pytest.mark.parametrize("settings", [
    {"discovery_jitter": PAUSE},
    {"method": "zookeeper_poll", "polling_interval_sec": PAUSE}],
    ids=lambda settings: settings.get("method", "zookeeper"))
def test_changes_are_read_at_most_once_in_the_time_configured(
        settings, sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    register(witness, path, one.payload("one"))
    proxy = sandbox.haproxy([found(healthy, path, **settings)])
    proxy.serves([one])
    register(witness, path, two.payload("two"))
    before = wait.elapsed(lambda: proxy.serves([one, two]))
    assert before > PAUSE - 1.5, "it was read at once"


def test_what_the_readme_shows_of_several_sources_is_accepted(sandbox):
    with open(f"{program.ROOT}/lua/README.md", encoding="ascii") as file:
        text = file.read().split("### Several sources\n\n")[1]
    example = text.split("\n\n")[0]
    proxy = sandbox.haproxy([Backend()], start=False)
    with open(proxy.synapse_file, "w") as file:
        json.dump({"services": {"web": json.loads("{" + example + "}")}}, file)
    status, said = proxy.check()
    assert status == 0, said
