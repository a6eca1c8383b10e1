"""Services that come while HAProxy runs are served by blank backends: in a
chroot, as HAProxy's user, with two threads."""

import socket

import pytest

import address
import wait
from blanks import Site
from haproxy import can
from load import Load
from status import Status

OWN = can("adds_backends")
STICKY = ["stick-table type ip size 1k expire 30m", "stick on src"]


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


@pytest.fixture
def two(sandbox):
    return sandbox.service("two")


@pytest.fixture
def site(sandbox, healthy, witness, path):
    return Site(sandbox, healthy, witness, path)


def closed(port):
    """Whether a connection is closed before it gives an answer."""
    try:
        with socket.create_connection((address.HOST, port),
                                      5 * wait.FACTOR) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(100) == b""
    except ConnectionError:
        return True


def test_a_new_service_is_served_and_no_request_of_another_fails(
        sandbox, site, one, two):
    site.register(one, "web")
    site.register(two, "api")
    site.proxy.serves([one])
    port = site.http[1]
    assert site.get(port)[0] == 404
    with sandbox.load(site.proxy, "a new service") as load:
        load.settle()
        site.add("api", port)
        site.write()
        site.answers(port, "two")
        load.settle(50)
    load.assert_none_failed()
    assert site.backend("api") == "spare-web-1"
    site.has_blanks(1)
    wait.until(lambda: Status(site.proxy).states("api") ==
               {two.address: "ready"}, 10, "the page knows it by its name")
    two.set_health("down")
    site.proxy.serves([], "spare-web-1")
    assert site.get(port)[0] == 503


def test_each_service_is_checked_at_its_own_uri(site, one, two):
    site.register(one, "polite")
    site.register(two, "api")
    site.add("api", site.http[0])
    site.add("polite", site.http[1], "option httpchk GET /status/204")
    site.write()
    site.answers(site.http[0], "two")
    site.answers(site.http[1], "one")
    wait.until(lambda: two.checks() > 0, 10, "its own URI is asked")
    assert one.checks() == 0
    site.add("polite", site.http[2], "option httpchk GET /health")
    site.write()
    site.answers(site.http[2], "one")
    wait.until(lambda: one.checks() > 0, 10, "the other URI is asked")
    wait.until(lambda: site.get(site.http[1])[0] == 404, 10,
               "the first port is nobody's")


def test_a_service_that_does_not_fit_says_why(site):
    site.add("api", 65000)
    site.add("odd", site.http[0], "mode tcp", "timeout server 3s")
    site.write()
    site.proxy.process.says(
        r"api: needs a reload: backend api is not in HAProxy's configuration, "
        r"and no blank backend serves it: haproxy\.port: no frontend of blank "
        r"backends \(spare-raw, spare-web\) listens on [\d.]+:65000; make")
    site.proxy.process.says(
        r"odd: needs a reload: .*haproxy\.listen\[0\]: the mode is tcp, and "
        r"that of spare-web is http; haproxy\.listen\[1\]: `timeout server "
        r"3s` is no line of spare-web")
    site.has_blanks(2)


def test_a_service_leaves_while_a_request_of_it_runs(
        sandbox, healthy, witness, path, one, two):
    site = Site(sandbox, healthy, witness, path, 1, STICKY)
    port, other = site.http[:2]
    site.register(one, "api")
    site.register(two, "next")
    site.add("api", port, "option httpchk GET /health", *STICKY)
    site.write()
    site.answers(port, "one")
    assert one.address in site.proxy.ask("show table spare-web-1")
    site.proxy.port, own = port, site.proxy.port
    with site.proxy.hold("/slow") as more:
        site.proxy.port = own
        del site.services["api"]
        site.add("next", other, "option httpchk GET /health", *STICKY)
        site.write()
        wait.until(lambda: site.get(port)[0] == 404, 10, "the port is closed")
        site.proxy.process.says(
            r"next: needs a reload: .*no blank backend of spare-web is left "
            r"\(\d of 1 wait")
        site.has_blanks(1, "resting")
        assert more()
        assert site.get(other)[0] == 404
    # Its last request has ended: the service that waits gets the backend.
    site.answers(other, "two")
    site.proxy.process.says("spare-web-1 is blank again")
    assert one.address not in site.proxy.ask("show table spare-web-1")
    wait.until(lambda: Status(site.proxy).json("/status.json")["troubles"],
               10, "it is said that none is left")


def test_a_tcp_service_comes_and_goes(site, one):
    port = site.tcp[0]
    assert closed(port)
    site.register(one, "raw")
    site.add("raw", port, "mode tcp")
    site.write()
    wait.until(lambda: not closed(port), 10, "it is served")
    assert site.get(port) == (200, "one")
    del site.services["raw"]
    site.write()
    wait.until(lambda: closed(port), 10, "its port closes")
    site.has_blanks(1, kind="spare-raw")


def answer_on(path):
    """Returns the status and the body of an answer on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5 * wait.FACTOR)
        connection.connect(path)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.decode().partition("\r\n\r\n")
    return int(head.split(None, 2)[1]), body


def test_a_service_on_a_unix_socket_comes_and_goes(site, one):
    def answers(*wanted):
        wait.until(lambda: answer_on(site.socket)[:len(wanted)] == wanted, 10,
                   f"the socket answers {wanted}")

    answers(404)
    site.register(one, "local")
    site.add("local", None, bind_address=site.socket)
    site.write()
    answers(200, "one")
    wait.until(lambda: site.backend("local") in ("spare-web-1", "spare-web-2"),
               10, "a blank backend serves it")
    fresh = site.proxy.reload()
    wait.until(lambda: site.proxy.workers() == [fresh], 10, "one is left")
    answers(200, "one")
    site.make()
    site.proxy.reload()
    answers(200, "one")
    wait.until(lambda: site.backend("local") == "local", 10,
               "it has a backend of its own")
    del site.services["local"]
    site.write()
    wait.until(lambda: answer_on(site.socket)[0] == 503, 10,
               "its slots are empty")


def test_no_request_fails_over_reloads_with_the_old_file_and_a_new_one(
        sandbox, site, one, two):
    port = site.http[3]
    for it in (one, two):
        site.register(it, "api")
        it.set_health("down")  # its check asks for something else
    site.add("later", site.http[0])
    site.write()
    site.has_blanks(1)
    site.add("api", port, "option httpchk GET /status/200")
    site.write()
    site.proxy.process.says(r"api: is served by spare-web-")
    before = wait.until(lambda: site.backend("api"), 10, "it is known")
    site.proxy.serves([one, two], before)
    site.proxy.remembers([one, two])
    with Load(address.HOST, port, "reloads of a blank backend") as load:
        load.settle()
        for _ in range(2):
            site.proxy.reload()
            load.settle(50)
            assert site.backend("api") == before
        site.make()
        site.proxy.reload()
        load.settle(50)
        assert site.backend("api") == "api"
        site.proxy.serves([one, two], "api")
        load.settle()
    load.assert_none_failed()


def test_a_service_gets_a_backend_of_its_own_name_if_haproxy_adds_one(
        sandbox, healthy, witness, path, one, two):
    site = Site(sandbox, healthy, witness, path, own_backends=True)
    port = site.http[0]
    for it in (one, two):
        site.register(it, "api")
        it.set_health("down")  # its check asks for something else

    def comes():
        site.add("api", port, "option httpchk GET /status/200")
        site.write()
        site.proxy.serves([one, two], "api" if OWN else "spare-web-1")
        wait.until(lambda: site.get(port)[0] == 200, 10, "its port is open")

    def leaves():
        del site.services["api"]
        site.write()
        wait.until(lambda: site.get(port)[0] == 404, 10,
                   "its port is nobody's")

    comes()
    leaves()
    site.has_blanks(2)
    comes()
    assert site.backend("api") == ("api" if OWN else "spare-web-1")
    site.has_blanks(1)
    slots = site.proxy.slots(site.backend("api"))
    site.proxy.remembers([one, two])
    with Load(address.HOST, port, "a reload") as load:
        load.settle()
        site.proxy.reload()
        load.settle(50)
    load.assert_none_failed()
    assert site.backend("api") == "spare-web-1"
    assert site.proxy.slots("spare-web-1") == slots


def test_services_come_and_go_while_others_are_served(
        sandbox, site, one, two):
    site.register(one, "api")
    site.register(two, "www")
    site.add("api", site.http[0])
    site.write()
    site.answers(site.http[0], "one")
    with Load(address.HOST, site.http[0], "others come and go") as load:
        load.settle()
        for _ in range(5):
            site.add("www", site.http[1])
            site.write()
            site.answers(site.http[1], "two")
            del site.services["www"]
            site.write()
            wait.until(lambda: site.get(site.http[1])[0] == 404, 10,
                       "its port is nobody's")
        site.has_blanks(1)
        load.settle()
    load.assert_none_failed()
