"""Which instances a service wants: those of this machine's zone before the
others (`prefer`), and a part of a large service (`subset`)."""

import wait
from haproxy import CHECKED, SLOT, web
from status import Status
from zookeeper import register

# With these lines HAProxy sends a request that a server did not answer to
# another one, and takes a server out at the first failed connection, not at
# the next check.
LINES = ["option allbackups", "retries 6",
         "retry-on conn-failure empty-response"]
SERVER = f"{CHECKED} observe layer4 error-limit 1 on-error mark-down"


def backups(number):
    return f"server-template b 1-{number} {SLOT} {SERVER} backup disabled"


def zoned(zookeeper, path, prefer, **more):
    return web(zookeeper, path, server=SERVER, lines=[*LINES, backups(8)],
               service={"prefer": prefer, **more})


def zone(value, least=1):
    return {"label": "zone", "value": value, "least": least}


class Zones:
    """Two registered services in zone a and two in zone b."""

    def __init__(self, sandbox, client, path):
        self.client = client
        self.path = path
        self.names = ("a1", "a2", "b1", "b2")
        self.services = {name: sandbox.service(name) for name in self.names}
        self.znodes = {name: self.register(name) for name in self.names}

    def register(self, name):
        it = self.services[name]
        return register(self.client, self.path, it.payload(
            name, labels={"zone": name[0]}))

    def __getitem__(self, names):
        return [self.services[name] for name in names.split()]


def roles(proxy):
    """Returns for each server that can take traffic whether it is a backup."""
    return {row["addr"]: row["bck"] == "1"
            for row in proxy.servers().values()
            if row["status"].startswith("UP")}


def becomes(proxy, active, waiting):
    """Waits until HAProxy's servers and backups are exactly these."""
    wanted = {it.address: False for it in active}
    wanted.update({it.address: True for it in waiting})
    wait.until(lambda: roles(proxy) == wanted, 10,
               f"active {active}, backups {waiting}: {roles(proxy)}")


def answered_by(load, names, number=60):
    """Waits until these, and only these, have answered so many requests in a
    row."""
    load.settle()
    names = set(names.split())

    def only():
        before = load.answers.copy()
        load.settle(number)
        return set(load.answers - before) == names

    wait.until(only, 20, f"{names} alone answer")


def reasons(status):
    return {it["name"]: (it["state"], it.get("why"))
            for it in status.service()["instances"]}


# In one zone of three the servers are killed; later an operator takes them
# out; later they leave. Each time HAProxy's backups, which are the other
# zone's instances, answer at once, and no request fails.
def test_the_other_zone_answers_while_the_local_one_is_away(
        sandbox, healthy, witness, path):
    proxy = sandbox.haproxy([zoned(healthy, path, zone("a"))], status=True)
    zones = Zones(sandbox, witness, path)
    becomes(proxy, zones["a1 a2"], zones["b1 b2"])
    status = Status(proxy)
    assert reasons(status)["b1"] == (
        "ready", "a backup: other zone; 2 of zone a serve")
    with sandbox.load(proxy, "the local zone dies and comes back") as load:
        answered_by(load, "a1 a2")
        for it in zones["a1 a2"]:
            it.process.kill()
        answered_by(load, "b1 b2")
        proxy.process.says("web: no instance of zone a can serve, the backups "
                           "do", 10)
        for it in zones["a1 a2"]:
            it.start()
        answered_by(load, "a1 a2")
    load.assert_none_failed()
    with sandbox.load(proxy, "the local zone is drained and comes back") as load:
        for it in zones["a1 a2"]:
            slot = proxy.slots()[it.address]
            proxy.ask(f"set server web/{slot} state drain")
        answered_by(load, "b1 b2")
        for it in zones["a1 a2"]:
            slot = proxy.slots()[it.address]
            proxy.ask(f"set server web/{slot} state ready")
        answered_by(load, "a1 a2")
    load.assert_none_failed()
    with sandbox.load(proxy, "the local zone leaves and comes back") as load:
        for name in ("a1", "a2"):
            witness.delete(zones.znodes[name])
        answered_by(load, "b1 b2")
        for name in ("a1", "a2"):
            zones.register(name)
        answered_by(load, "a1 a2")
    load.assert_none_failed()
    becomes(proxy, zones["a1 a2"], zones["b1 b2"])


# This does not need the agent: the service is frozen in the middle.
def test_haproxy_alone_uses_the_backups(sandbox, healthy, witness, path):
    proxy = sandbox.haproxy([zoned(healthy, path, zone("a"))], synapse={
        "runtime_changes": True})
    zones = Zones(sandbox, witness, path)
    becomes(proxy, zones["a1 a2"], zones["b1 b2"])
    assert "frozen" in proxy.ask("synapse freeze web")
    with sandbox.load(proxy, "the zone dies while it is frozen") as load:
        answered_by(load, "a1 a2")
        for it in zones["a1 a2"]:
            it.process.kill()
        answered_by(load, "b1 b2")
        for it in zones["a1 a2"]:
            it.start()
        answered_by(load, "a1 a2")
    load.assert_none_failed()
    assert not proxy.process.lines("web: no instance of zone a")


# One instance would get the traffic of two. So the other zone's instances
# serve beside it as soon as it is alone, and not only when it fails as well.
def test_the_other_zone_helps_while_too_few_of_the_local_one_can_serve(
        sandbox, healthy, witness, path):
    proxy = sandbox.haproxy([zoned(healthy, path, zone("a", 2))], status=True)
    zones = Zones(sandbox, witness, path)
    becomes(proxy, zones["a1 a2"], zones["b1 b2"])
    status = Status(proxy)
    with sandbox.load(proxy, "half of the local zone dies") as load:
        answered_by(load, "a1 a2")
        zones.services["a1"].process.kill()
        answered_by(load, "a2 b1 b2")
        becomes(proxy, zones["a2 b1 b2"], [])
        wait.until(lambda: "fewer than 2 of zone a can serve, so other zone "
                   "serves too" in status.service()["reasons"], 10,
                   "the status tells why")
        assert 'synapse_service_preference{service="web",state="unmet"} 1' in \
            status.ask("/metrics")[1]
        proxy.reload()
        answered_by(load, "a2 b1 b2")
        zones.services["a1"].start()
        answered_by(load, "a1 a2")
        becomes(proxy, zones["a1 a2"], zones["b1 b2"])
    load.assert_none_failed()
    wait.until(lambda: 'synapse_service_preference{service="web",state="met"} '
               '1' in status.ask("/metrics")[1], 10, "the metric is met again")


def test_zones_serve_in_the_order_of_preference(
        sandbox, healthy, witness, path):
    proxy = sandbox.haproxy([zoned(healthy, path, [zone("b"), zone("a")])])
    zones = Zones(sandbox, witness, path)
    other = sandbox.service("c1")
    register(witness, path, other.payload("c1"))
    becomes(proxy, zones["b1 b2"], [*zones["a1 a2"], other])
    with sandbox.load(proxy, "one zone leaves after the other") as load:
        answered_by(load, "b1 b2")
        for name in ("b1", "b2"):
            witness.delete(zones.znodes[name])
        answered_by(load, "a1 a2")
        becomes(proxy, zones["a1 a2"], [other])
        for name in ("a1", "a2"):
            witness.delete(zones.znodes[name])
        answered_by(load, "c1")
    load.assert_none_failed()


def test_a_machine_uses_its_subset_and_says_why_not_the_others(
        sandbox, healthy, witness, path):
    size = 4
    proxy = sandbox.haproxy([web(healthy, path, service={
        "subset": {"size": size, "least": 3, "machine": "one"}})], status=True)
    crowd = sandbox.crowd("one", 12).members
    znodes = {it.address: register(witness, path, it.payload(it.name))
              for it in crowd}
    wait.until(lambda: len(proxy.serving()) == size, 10, "its subset serves")
    status = Status(proxy)
    wait.until(lambda: len(status.states()) == 12, 10, "all are shown")
    used = set(proxy.serving())
    for it in status.service()["instances"]:
        if it["instance"] not in used:
            assert it["state"] == "unused"
            assert it["why"] == "not in this machine's subset of 4"
    proxy.remembers([it for it in crowd if it.address in used])
    with sandbox.load(proxy, "instances of the subset leave") as load:
        for address in sorted(used)[:2]:
            before = set(proxy.serving())
            witness.delete(znodes[address])
            wait.until(lambda: address not in proxy.serving() and
                       len(proxy.serving()) == size, 10, "another one serves")
            assert len(before - set(proxy.serving())) == 1
        proxy.reload()
        load.settle(60)
    load.assert_none_failed()
    assert len(proxy.serving()) == size


def next_of(chosen, serving):
    """Whether one instance serves that is none of these."""
    return len(serving) == 1 and \
        serving[0] not in [it.address for it in chosen]


def test_the_next_of_a_subset_serve_while_too_few_of_it_can(
        sandbox, healthy, witness, path):
    services = [sandbox.service(f"s{number}") for number in range(4)]
    for it in services:
        register(witness, path, it.payload(it.name))
    proxy = sandbox.haproxy([web(healthy, path, lines=LINES, server=SERVER,
                                 service={"subset": {
                                     "size": 2, "machine": "one"}})])
    wait.until(lambda: len(proxy.serving()) == 2, 10, "its subset serves")
    chosen = [it for it in services if it.address in proxy.serving()]
    with sandbox.load(proxy, "the subset dies") as load:
        load.settle(60)
        chosen[0].process.kill()
        load.settle(60)
        chosen[1].process.kill()
        wait.until(lambda: next_of(chosen, proxy.serving()), 10,
                   "the next serves")
        load.settle(60)
        for it in chosen:
            it.start()
        proxy.serves(chosen)
        load.settle(60)
    # Until a check or a connection fails and the agent acts, nobody of the
    # subset is left, and HAProxy could send these requests nowhere.
    assert load.failed < load.sent / 4, str(load)


def test_a_backend_that_cannot_prefer_is_refused_with_the_line_to_add(
        sandbox, healthy, path):
    without = web(healthy, path, lines=["option allbackups"],
                  service={"prefer": zone("a")})
    one = sandbox.haproxy([without], name="no-backups", start=False)
    status, said = one.check()
    assert status != 0
    assert "backend web has no slots for backups, which `prefer` needs; add " \
        "a line `server-template b 1-16" in said
    single = web(healthy, path, lines=[backups(2)],
                 service={"prefer": zone("a")})
    other = sandbox.haproxy([single], name="one-backup", start=False)
    status, said = other.check()
    assert status != 0
    assert "backend web has no line `option allbackups`" in said
    wrong = sandbox.haproxy([zoned(healthy, path, zone("${NO_ZONE}"))],
                            name="no-zone", start=False)
    status, said = wrong.check()
    assert status != 0
    assert "services.web.prefer.value: ${NO_ZONE} is not set in HAProxy's " \
        "environment" in said
