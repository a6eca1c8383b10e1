"""Services that are found in ZooKeeper: each child of a path is one, and is
served without a file and without a reload."""

import json

import pytest

import address
import wait
from blanks import Site
from load import Load
from status import Status
from zookeeper import register


class Fleet(Site):
    """A HAProxy that finds its services below `path`/all."""

    def __init__(self, sandbox, healthy, witness, path, **more):
        self.entry = address.port()
        self.more = more
        super().__init__(sandbox, healthy, witness, path, 3)

    def write(self):
        self.rest["discover"] = {
            "hosts": self.hosts, "path": f"{self.path}/all",
            "allow": ["web-*", "api"], "spare": "web", "port": self.entry,
            "service": {"guard": {"hold": 2}}, **self.more}
        super().write()

    def child(self, name, data=b""):
        """Makes the znode of a service, as nerve does it, or changes it."""
        znode = f"{self.path}/all/{name}"
        if self.client.exists(znode):
            self.client.set(znode, data)
        else:
            self.client.ensure_path(f"{self.path}/all")
            self.client.create(znode, data)

    def register(self, service, name):
        self.client.ensure_path(f"{self.path}/all/{name}/services")
        register(self.client, f"{self.path}/all/{name}/services",
                 service.payload(service.name))

    def ask(self, name):
        return self.proxy.get("/", self.entry, f"{name}.service")

    def serves(self, name, text):
        wait.until(lambda: self.ask(name) == (200, text), 10,
                   f"{name} is served by {text}")

    def ends(self, name):
        wait.until(lambda: self.ask(name)[0] == 404, 10, f"{name} is nobody's")

    def found(self):
        return Status(self.proxy).json("/status.json")["discover"]


@pytest.fixture
def fleet(sandbox, healthy, witness, path):
    return Fleet(sandbox, healthy, witness, path)


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


@pytest.fixture
def two(sandbox):
    return sandbox.service("two")


def test_a_service_that_registers_anywhere_is_served(sandbox, fleet, one, two):
    assert fleet.ask("web-1") == (404, "no service has this name\n")
    fleet.register(one, "web-1")
    fleet.serves("web-1", "one")
    with Load(address.HOST, fleet.entry, "another is found",
              "web-1.service") as load:
        load.settle()
        fleet.register(two, "api")
        fleet.serves("api", "two")
        fleet.register(two, "web-1")
        fleet.proxy.serves([one, two], fleet.backend("web-1"))
        load.settle(50)
    load.assert_none_failed()
    assert fleet.proxy.get("/", fleet.entry, "API.Service:80") == (200, "two")
    assert fleet.found()["services"] == 2
    assert Status(fleet.proxy).states("api") == {two.address: "ready"}


def test_what_is_not_allowed_is_left_alone_and_what_is_wrong_is_shown(
        fleet, one):
    for name in ("secret", "web-a b", "web-" + 100 * "x", "web-1", "WEB-1"):
        fleet.register(one, name)
    fleet.child("web-2", b'{"port": "high"}')
    fleet.serves("web-1", "one")
    wait.until(lambda: len(fleet.found()["refused"]) == 3, 10,
               "what is refused is known")
    told = {it["name"]: it["why"] for it in fleet.found()["refused"]}
    assert told == {
        "web-a b": "is no name of a service ([A-Za-z0-9_.-], at most 100); "
                   "refused",
        "web-" + 100 * "x": "is no name of a service ([A-Za-z0-9_.-], at most "
                            "100); refused",
        "web-2": "port: is not a port (1 to 65535), not used"}
    assert fleet.ask("secret")[0] == 404
    [trouble] = Status(fleet.proxy).json("/status.json")["troubles"]
    assert trouble.startswith(
        f"3 found in {fleet.path}/all are not served, or not by their ports: "
        "web-")


def test_a_service_of_the_file_keeps_its_name(fleet, one, two):
    """Whoever may register anything must not take traffic of a service that
    an operator has configured."""
    fleet.add("api", fleet.http[0], path="own")
    fleet.write()
    fleet.client.ensure_path(f"{fleet.path}/own")
    register(fleet.client, f"{fleet.path}/own", one.payload("one"))
    fleet.answers(fleet.http[0], "one")
    fleet.register(two, "api")
    fleet.proxy.process.says(
        r"/all/api: is not served: synapse\.conf\.json has a service of this "
        r"name")
    assert fleet.ask("api")[0] == 404
    # Its port is not for those who reach the frontend of found services.
    assert fleet.proxy.get("/", fleet.entry,
                           f"{address.HOST}:{fleet.http[0]}:80")[0] == 404
    del fleet.services["api"]
    fleet.write()
    fleet.serves("api", "two")


def test_a_service_of_the_file_comes_for_one_that_was_found(fleet, one, two):
    """Its lines may be others, and then it needs a reload."""
    port = fleet.http[0]
    fleet.register(one, "api")
    fleet.serves("api", "one")
    fleet.client.ensure_path(f"{fleet.path}/own")
    register(fleet.client, f"{fleet.path}/own", two.payload("two"))
    fleet.add("api", port, "balance source", path="own")
    fleet.write()
    fleet.proxy.process.says(r"api: needs a reload: .*`balance source`")
    assert fleet.ask("api") == (200, "one")
    fleet.add("api", port, path="own")
    fleet.write()
    fleet.answers(port, "two")
    fleet.ends("api")
    assert fleet.found()["services"] == 0


def test_a_port_in_the_znode_leads_to_the_service_as_well(fleet, one):
    first, second = fleet.http[1:3]
    fleet.child("web-1", json.dumps({"port": first}).encode())
    fleet.register(one, "web-1")
    fleet.serves("web-1", "one")
    fleet.answers(first, "one")
    fleet.child("web-1", json.dumps({"port": second}).encode())
    fleet.answers(second, "one")
    wait.until(lambda: fleet.get(first)[0] == 404, 10,
               "the first port is nobody's")
    assert fleet.ask("web-1") == (200, "one")


def test_a_port_goes_from_one_found_service_to_another(fleet, one, two):
    """Meanwhile the other is served by its host name, also after a reload,
    although it is the first by name. And the blank backend of the first is free
    when it has left."""
    port = fleet.http[0]
    fleet.child("web-2", json.dumps({"port": port}).encode())
    fleet.register(one, "web-2")
    fleet.answers(port, "one")
    fleet.child("web-1", json.dumps({"port": port}).encode())
    fleet.register(two, "web-1")
    fleet.proxy.process.says(r"web-1: is served by its host name only: "
                             r"haproxy\.port: services\.web-2 listens on")
    fleet.serves("web-1", "two")
    assert fleet.get(port) == (200, "one")
    [refused] = fleet.found()["refused"]
    assert refused["name"] == "web-1" and "services.web-2" in refused["why"]
    fleet.proxy.remembers([one, two])
    fleet.proxy.reload()
    assert [fleet.get(port), fleet.ask("web-1")] == [(200, "one"), (200, "two")]
    fleet.child("web-2", b"")
    fleet.answers(port, "two")
    assert fleet.ask("web-2") == (200, "one")
    one.set_health("down")
    fleet.client.delete(f"{fleet.path}/all/web-2", recursive=True)
    fleet.ends("web-2")
    fleet.has_blanks(2)


def test_no_more_are_served_than_there_may_be(sandbox, healthy, witness, path,
                                              one):
    fleet = Fleet(sandbox, healthy, witness, path, max_services=2)
    for number in range(3):
        fleet.register(one, f"web-{number}")
    fleet.proxy.process.says(
        r"is not served: discover\.max_services allows 2")
    wait.until(lambda: fleet.found()["services"] == 2, 10, "two are served")
    [refused] = fleet.found()["refused"]
    served = {"web-0", "web-1", "web-2"} - {refused["name"]}
    for name in served:
        fleet.serves(name, "one")
    # One leaves, and the third gets its place.
    name = served.pop()
    one.set_health("down")
    fleet.client.delete(f"{path}/all/{name}", recursive=True)
    fleet.ends(name)
    one.set_health("up")
    fleet.serves(refused["name"], "one")


def test_a_service_stays_while_its_znode_is_gone_and_it_answers(fleet, one):
    """A ZooKeeper that has lost its data says of each service that there is
    none, until its nerve has registered it again."""
    fleet.register(one, "web-1")
    fleet.register(one, "api")
    fleet.serves("web-1", "one")
    fleet.serves("api", "one")
    with Load(address.HOST, fleet.entry, "its znode is gone",
              "web-1.service") as load:
        load.settle()
        fleet.client.delete(f"{fleet.path}/all/web-1", recursive=True)
        load.settle(400)
        fleet.register(one, "web-1")
        load.settle(50)
    load.assert_none_failed()


def test_found_services_are_there_after_a_reload(fleet, one, two):
    fleet.register(one, "web-1")
    fleet.child("api", json.dumps({"port": fleet.http[0]}).encode())
    fleet.register(two, "api")
    fleet.serves("web-1", "one")
    fleet.answers(fleet.http[0], "two")
    fleet.proxy.remembers([one, two])
    with Load(address.HOST, fleet.entry, "reloads of a found service",
              "web-1.service") as load:
        load.settle()
        for _ in range(2):
            fleet.proxy.reload()
            load.settle(50)
            assert fleet.get(fleet.http[0]) == (200, "two")
        fleet.make()
        fleet.proxy.reload()
        load.settle(50)
    load.assert_none_failed()
    assert fleet.found()["services"] == 2


def test_a_service_of_the_file_is_found_from_the_start_of_haproxy(
        sandbox, path, one):
    """Its instances are in the snapshot: it was read from the same path."""
    zookeeper = sandbox.zookeeper()
    fleet = Fleet(sandbox, zookeeper, zookeeper.client(), path)
    fleet.add("api", fleet.http[0], path="all/api/services")
    fleet.write()
    fleet.register(one, "api")
    fleet.answers(fleet.http[0], "one")
    assert fleet.ask("api")[0] == 404
    fleet.proxy.remembers([one])
    fleet.proxy.stop()
    zookeeper.stop()
    del fleet.services["api"]
    fleet.write()
    fleet.proxy.start()
    assert fleet.ask("api") == (200, "one")
