"""HAProxy stopped and started, with ZooKeeper down."""

import os
import socket

import address
import wait
from chain import Site
from haproxy import Backend, web
from nerve import watched
from zookeeper import register


def first_answer(proxy):
    """Starts HAProxy. Returns the status of the first request that it accepts,
    sent as soon as the port is bound."""
    proxy.begin()
    connection = wait.until(lambda: connect(proxy), 20, "the port is bound")
    with connection:
        connection.settimeout(5 * wait.FACTOR)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return int(connection.recv(4096).split(None, 2)[1])


def connect(proxy):
    try:
        return socket.create_connection((proxy.host, proxy.port), 2)
    except OSError:
        return None


def test_the_first_request_after_a_start_succeeds_with_zookeeper_down(
        sandbox, path):
    site = Site(sandbox, path)
    site.server.stop()
    for _ in range(3):
        site.proxy.stop()
        assert first_answer(site.proxy) == 200
    with sandbox.load(site.proxy, "started with ZooKeeper down") as load:
        wait.until(lambda: load.sent > 200, 10, "requests")
        site.proxy.serves(site.services)
    load.assert_none_failed()


def test_control_without_the_snapshot_the_first_request_fails(sandbox, path):
    site = Site(sandbox, path, snapshot=False)
    site.server.stop()
    site.proxy.stop()
    assert first_answer(site.proxy) == 503


def test_control_the_snapshot_is_what_the_first_request_needs(sandbox, path):
    site = Site(sandbox, path)
    site.server.stop()
    site.proxy.stop()
    os.unlink(site.proxy.snapshot)
    assert first_answer(site.proxy) == 503


def test_haproxy_started_long_before_zookeeper_finds_it(sandbox, path):
    server = sandbox.zookeeper()
    server.stop()
    one = sandbox.service("one")
    sandbox.nerve("one", {"web": watched(one, server, path)})
    proxy = sandbox.haproxy([web(server, path)])
    assert proxy.get()[0] == 503
    server.start()
    proxy.serves([one])
    assert proxy.get() == (200, "one")


def test_a_path_that_is_made_later_is_found(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([web(healthy, path)])
    wait.until(lambda: proxy.process.lines("connected"), 10,
               "the agent is connected")
    register(witness, path, one.payload("one"))
    proxy.serves([one])


def test_a_path_that_is_deleted_and_made_again_is_followed(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path)])
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    witness.delete(path, recursive=True)
    wait.always(lambda: proxy.serving() == [f"{one.host}:{one.port}"], 1,
                "a missing path changes nothing")
    register(witness, path, two.payload("two"))
    proxy.serves([two])


def test_one_server_of_the_ensemble_out_of_reach_does_no_harm(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    nowhere = f"{address.HOST}:{address.port()}"
    proxy = sandbox.haproxy([Backend(hosts=[nowhere, healthy.hosts],
                                     path=path)])
    register(witness, path, one.payload("one"))
    proxy.serves([one], seconds=20)
