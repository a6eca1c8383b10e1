"""Slots that the agent adds at run time for instances beyond the declared
slots, and backends to which none may be added."""

import collections
import contextlib
import csv
import http.client
import io

import pytest

import wait
from haproxy import CHECKED, Backend, can
from status import Status
from zookeeper import register

COUNT = 12
DECLARED = 5
# A plain listener waits for the end of what it takes for a request.
IMPATIENT = ["retries 0", "timeout connect 200ms"]
# Requests that wait for a slot.
QUEUED = 40
VERIFIED = "ssl verify required ca-file /etc/ssl/certs/ca-certificates.crt"


@pytest.fixture
def services(sandbox):
    return [sandbox.service(f"s{number}") for number in range(COUNT)]


@pytest.fixture
def three(sandbox):
    return [sandbox.service(f"s{number}") for number in range(3)]


def backend(zookeeper, path, **more):
    """Returns a backend most of whose instances may leave at once."""
    return Backend(hosts=[zookeeper.hosts], path=path,
                   service={"guard": {"hold": 0}},
                   **{"slots": DECLARED, **more})


def join(client, path, services):
    """Registers services. Returns their znodes."""
    return [register(client, path, it.payload(it.name)) for it in services]


def names(proxy):
    return sorted(proxy.servers(), key=lambda name: (len(name), name))


def test_slots_are_added_and_used_again_and_no_request_fails(
        sandbox, services, healthy, witness, path):
    proxy = sandbox.haproxy([backend(healthy, path)])
    nodes = join(witness, path, services[:2])
    proxy.serves(services[:2])
    with sandbox.load(proxy, "slots are added and used again") as load:
        for _ in range(2):
            nodes += join(witness, path, services[2:])
            proxy.serves(services)
            for node in nodes[2:]:
                witness.delete(node)
            del nodes[2:]
            proxy.serves(services[:2])
        join(witness, path, services[2:])
        proxy.serves(services)
        sent = load.sent
        wait.until(lambda: load.sent > sent + 10 * COUNT, 10, "requests")
    assert len(load.answers) == COUNT
    load.assert_none_failed()
    assert names(proxy) == [f"s{number}" for number in range(1, COUNT + 1)]
    added = proxy.process.lines(r"synapse: web: .* (\d+) slots? added")
    count = sum(int(line.split(" added")[-2].split()[-2])
                for line in set(added) if line.startswith("synapse"))
    # On a slow machine some may be deleted and added again.
    assert count == COUNT - DECLARED or can("deletes_servers")


def test_no_request_reaches_the_address_that_a_slot_had_before(
        sandbox, healthy, witness, path):
    """HAProxy 3.0 answers that an address has changed and keeps sending
    requests to the previous one. So a slot that was made ready in the same
    line sent them to an instance that had left. The requests in the backend's
    queue are the first that a slot gets, as soon as it is ready."""
    steady, *others = [sandbox.service(name)
                       for name in ("steady", "one", "two")]
    proxy = sandbox.haproxy([Backend(
        hosts=[healthy.hosts], path=path, slots=2, lines=["timeout queue 60s"],
        server=f"{CHECKED} maxconn {QUEUED}",  # 3.0 asks for it to dequeue
        service={"guard": {"hold": 0}},
        haproxy={"server_options": "init-addr none"})])  # none is added
    register(witness, path, steady.payload(
        steady.name, haproxy_server_options="maxconn 1"))
    proxy.serves([steady])
    with Kept(proxy) as busy:
        busy.send("/keep/held")
        wait.until(lambda: scur(proxy) == 1, 10, "steady has no room")
        for number in range(10):
            now = others[number % 2]
            with contextlib.ExitStack() as queued:
                requests = [queued.enter_context(Kept(proxy))
                            for _ in range(QUEUED)]
                for request in requests:
                    request.send("/keep")
                wait.until(lambda: queue(proxy) == QUEUED, 10, "all wait")
                node = register(witness, path, now.payload(now.name))
                answers = collections.Counter(
                    request.body() for request in requests)
            assert answers == {now.name: QUEUED}, f"in round {number}"
            witness.delete(node)
            proxy.serves([steady])
        assert steady.ask("POST", "/release") == ""
        assert busy.body() == "steady"


@pytest.mark.parametrize("reuse", ["aggressive", "always"])
def test_no_request_goes_over_a_connection_of_the_instance_that_left(
        reuse, sandbox, healthy, witness, path):
    """HAProxy closes the idle connections of a slot whose address changes. But
    a connection in use became an idle connection of the slot later: with 20
    slow requests to the instance that left, 908 of 1,000 requests reached it,
    and none its successor."""
    left, successor = [sandbox.service(name) for name in ("one", "two")]
    proxy = sandbox.haproxy([Backend(
        hosts=[healthy.hosts], path=path, slots=1,
        lines=[f"http-reuse {reuse}"],
        service={"guard": {"hold": 0}},
        haproxy={"server_options": "init-addr none"})])  # none is added
    node = register(witness, path, left.payload(left.name))
    proxy.serves([left])
    with contextlib.ExitStack() as held:
        requests = [held.enter_context(Kept(proxy)) for _ in range(20)]
        for request in requests:
            request.send("/keep/held")
        wait.until(lambda: proxy.servers()["s1"]["scur"] == "20", 10,
                   "all are sent to the instance")
        register(witness, path, successor.payload(successor.name))
        witness.delete(node)
        proxy.process.says("1 instance without a slot .*until the sessions of "
                           "its last instance are gone")
        assert proxy.serving() == []
        assert left.ask("POST", "/release") == ""
        assert {request.body() for request in requests} == {"one"}
        proxy.serves([successor])
    answers = set()
    for _ in range(200):
        with Kept(proxy) as request:
            request.send("/keep")
            answers.add(request.body())
    assert answers == {"two"}


def test_the_errors_of_an_instance_are_not_those_of_the_last_in_its_slot(
        sandbox, healthy, witness, path):
    """The page showed 200 errors of an instance that had answered no
    request."""
    one, two = [sandbox.service(name) for name in ("one", "two")]
    proxy = sandbox.haproxy([backend(
        healthy, path, slots=1, haproxy={"server_options": "init-addr none"})],
        status=True)
    status = Status(proxy)

    def errors():
        [service] = status.json("/status.json?service=web&counters=1")[
            "services"]
        [instance] = service["instances"]
        return instance["counters"]["errors"]

    node = register(witness, path, one.payload(one.name))
    proxy.serves([one])
    for number in (5, 2):
        for _ in range(number):
            assert proxy.get("/status/500")[0] == 500
        wait.until(lambda: errors() == number, 10, f"{number} errors are told")
        if number == 5:
            witness.delete(node)
            register(witness, path, two.payload(two.name))
            proxy.serves([two])
            wait.until(lambda: errors() == 0, 5, "no error is its own")


def test_an_added_slot_is_checked_like_the_others(
        sandbox, three, healthy, witness, path):
    proxy = sandbox.haproxy([backend(healthy, path, slots=1)])
    join(witness, path, three)
    proxy.serves(three)
    ended = next(it for it in three if it.address in
                 [row["addr"] for name, row in proxy.servers().items()
                  if name in ("s2", "s3")])
    ended.process.kill()
    left = [it for it in three if it is not ended]
    proxy.serves(left)
    ended.start()
    proxy.serves(three)


def test_slots_are_added_again_after_a_reload(
        sandbox, services, healthy, witness, path):
    proxy = sandbox.haproxy([backend(healthy, path)])
    join(witness, path, services)
    proxy.serves(services)
    proxy.remembers(services)
    with sandbox.load(proxy, "reload with added slots") as load:
        proxy.reload()
        proxy.serves(services)
    load.assert_none_failed()


def test_slots_are_added_from_the_snapshot_while_zookeeper_is_away(
        sandbox, services, path):
    server = sandbox.zookeeper()
    proxy = sandbox.haproxy([backend(server, path)])
    join(server.client(), path, services)
    proxy.serves(services)
    proxy.remembers(services)
    server.stop()
    proxy.reload()
    proxy.serves(services)


def test_instances_wait_and_it_is_told_why_where_no_slot_can_be_added(
        sandbox, services, healthy, witness, path):
    proxy = sandbox.haproxy([backend(
        healthy, path, haproxy={"server_options": "check init-addr none"})])
    proxy.process.says("`init-addr` is none of `add server`'s keywords")
    join(witness, path, services)
    wait.until(lambda: len(proxy.serving()) == DECLARED, 10, "five serve")
    proxy.process.says(r"7 instances without a slot .*`init-addr` is none of")


def test_haproxys_refusal_to_add_a_slot_is_told_and_hurts_no_other(
        sandbox, services, healthy, witness, path):
    # HAProxy adds no server to a backend with this algorithm, and the end of
    # its answer about that is unlike all others.
    proxy = sandbox.haproxy([backend(healthy, path,
                                     lines=["balance static-rr"])])
    nodes = join(witness, path, services)
    wait.until(lambda: len(proxy.serving()) == DECLARED, 10, "five serve")
    proxy.process.says("no slot can be added: .*dynamic load balancing")
    left = [it for it in services if it.address not in proxy.serving()]
    for node, service in zip(nodes, services):
        if service not in left:
            witness.delete(node)
    wait.until(lambda: set(proxy.serving()) <= {it.address for it in left} and
               len(proxy.serving()) == DECLARED, 10, "others serve")


@pytest.mark.parametrize("options", ["", CHECKED, f"{CHECKED} ssl verify none",
                                     f"{CHECKED} ssl"])
def test_no_slot_is_added_without_verified_tls_where_slots_verify_it(
        options, sandbox, three, healthy, witness, path):
    proxy = sandbox.haproxy([backend(
        healthy, path, slots=1, server=VERIFIED, lines=IMPATIENT,
        haproxy={"server_options": options})])
    join(witness, path, three)
    proxy.process.says("2 instances without a slot .*its slots use TLS")
    assert proxy.get()[0] == 503
    assert names(proxy) == ["s1"]


def test_a_plain_listener_behind_an_added_slot_with_tls_gets_no_request(
        sandbox, three, healthy, witness, path):
    proxy = sandbox.haproxy([backend(healthy, path, slots=1, server=VERIFIED,
                                     lines=IMPATIENT)])
    join(witness, path, three)
    proxy.serves(three)
    assert names(proxy) == ["s1", "s2", "s3"]
    assert {proxy.get()[0] for _ in range(9)} == {503}


def scur(proxy):
    return sum(int(row["scur"]) for row in proxy.servers().values())


def queue(proxy):
    """Returns how many requests wait in the backend's queue."""
    text = proxy.ask("show stat -1 2 -1").lstrip("# ")
    [row] = [row for row in csv.DictReader(io.StringIO(text))
             if row["pxname"] == "web"]
    return int(row["qcur"])


class Kept:
    """A connection through a proxy that neither side closes."""

    def __init__(self, proxy):
        self._connection = http.client.HTTPConnection(
            proxy.host, proxy.port, timeout=10 * wait.FACTOR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def send(self, path):
        self._connection.request("GET", path)

    def body(self):
        return self._connection.getresponse().read().decode()
