"""What the agent tells over HTTP."""

import http.client
import json

import pytest

import wait
from haproxy import web
from service import compact
from zookeeper import register


class Status:
    """A client of the agent's own frontend."""

    def __init__(self, proxy):
        self._proxy = proxy

    def ask(self, path, method="GET", **headers):
        """The answer, read to its end, and its body."""
        connection = http.client.HTTPConnection(
            self._proxy.host, self._proxy.status_port,
            timeout=10 * wait.FACTOR)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read().decode()
        finally:
            connection.close()

    def json(self, path):
        answer, body = self.ask(path)
        assert answer.status == 200, body
        return json.loads(body)

    def service(self, name="web"):
        [found] = self.json(f"/status.json?service={name}")["services"]
        return found

    def states(self, name="web"):
        """The state of each instance by its host:port."""
        return {it["instance"]: it["state"]
                for it in self.service(name)["instances"]}

    def events(self, since=0):
        return self.json(f"/events.json?since={since}")["events"]


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


@pytest.fixture
def proxy(sandbox, healthy, path):
    return sandbox.haproxy([web(healthy, path)], status=True)


@pytest.fixture
def status(proxy):
    return Status(proxy)


def test_an_instance_is_ready_and_its_way_there_an_event(
        witness, path, one, proxy, status):
    wait.until(lambda: status.service()["state"] == "down", 10, "down")
    witness.ensure_path(path)
    wait.until(lambda: status.service()["paths"][0]["state"] == "read", 10,
               "the path is read")
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    wait.until(lambda: status.states() == {one.address: "ready"}, 5, "ready")
    service = status.service()
    assert service["state"] == "whole" and service["reasons"] == []
    assert service["slots"] == {"used": 1, "all": 8}
    event = [it for it in status.events() if "instance" in it
             and it["instance"] == one.address][-1]
    assert (event["service"], event["from"], event["to"]) == (
        "web", "absent", "ready")
    assert 0 < event["ms"] < 2000


def test_a_check_that_fails_is_a_state_and_an_event_with_its_reason(
        witness, path, one, proxy, status):
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    one.process.kill()
    wait.until(lambda: status.states() == {one.address: "failed"}, 5,
               "failed is seen")
    service = status.service()
    assert service["state"] == "down"
    assert service["reasons"] == [
        "none of 1 instance can take new requests",
        "1 instance fails HAProxy's check"]
    assert "connection refused" in service["instances"][0]["why"]
    wait.until(lambda: status.events()[-1]["to"] == "failed", 5, "an event")


def test_a_znode_that_is_refused_is_shown_with_the_reason(
        witness, path, one, proxy, status):
    register(witness, path, one.payload("one"))
    register(witness, path, compact({"host": "0.0.0.0", "port": 1}), "bad_")
    proxy.serves([one])
    wait.until(lambda: status.service()["counts"] == {
        "ready": 1, "invalid": 1}, 5, "one is refused")
    service = status.service()
    assert service["state"] == "degraded"
    assert service["reasons"] == ["1 znode is refused"]
    assert "unspecified" in service["instances"][0]["why"]


def test_bytes_that_are_no_text_are_still_json(
        witness, path, proxy, status):
    for number, data in enumerate([b'{"host":"\xff\xfe"}', b"\xed\xa0\x80",
                                   b"\xf5\x80\x80\x80", b"\0\x01<b>"]):
        register(witness, path, data, f"bad{number}_")
    wait.until(lambda: status.service()["counts"].get("invalid") == 4, 10,
               "all are refused")


def test_only_what_changed_is_told_after_a_cursor(
        witness, path, one, proxy, status):
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    wait.until(lambda: status.states() == {one.address: "ready"}, 5, "ready")
    first = status.json("/status.json")
    assert not first["delta"] and len(first["services"]) == 1
    then = status.json(f"/status.json?since={first['cursor']}")
    assert then["delta"] and then["services"] == []
    one.process.kill()
    wait.until(lambda: status.json(
        f"/status.json?since={first['cursor']}")["services"], 5, "it changed")
    foreign = status.json("/status.json?since=1.1")
    assert not foreign["delta"] and len(foreign["services"]) == 1


def test_what_did_not_change_is_not_sent_again(status):
    answer, _ = status.ask("/status.json")
    tag = answer.headers["ETag"]
    def unchanged():
        again, body = status.ask("/status.json", **{"If-None-Match": tag})
        return again.status == 304 and body == ""
    if not unchanged():
        tag = status.ask("/status.json")[0].headers["ETag"]
    wait.until(unchanged, 5, "304")


def test_head_has_the_head_alone_and_nothing_else_is_allowed(status):
    for path in ("/status.json", "/events.json", "/ready", "/healthz"):
        answer, body = status.ask(path, "HEAD")
        assert answer.status == 200 and body == "", path
        assert "default-src 'none'" in answer.headers[
            "Content-Security-Policy"], path
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer, _ = status.ask("/status.json", method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert status.ask("/nothing")[0].status == 404


@pytest.mark.parametrize("asked, said", [
    ("/status.json?limit=0", 'limit: "0" is not an integer from 1 to 100000'),
    ("/status.json?problems=yes", 'problems: "yes" is not 0 or 1'),
    ("/status.json?nothing=1", "nothing: no such parameter (limit"),
    ("/status.json?" + "&".join(["service=a"] * 51), "service: more than 50"),
    ("/events.json?since=-1", 'since: "-1" is not an integer from 0'),
    ("/ready?a=1", "a: no such parameter (none is known here)"),
])
def test_a_question_that_makes_no_sense_is_told_what_would(
        status, asked, said):
    answer, body = status.ask(asked)
    assert answer.status == 400 and said in body


def test_it_is_ready_once_every_service_was_read(sandbox, path):
    server = sandbox.zookeeper()
    server.freeze()
    proxy = sandbox.haproxy([web(server, path)], status=True)
    status = Status(proxy)
    answer, body = status.ask("/ready")
    assert answer.status == 503 and body.endswith(":\nweb\n")
    assert status.ask("/healthz")[0].status == 200
    server.thaw()
    wait.until(lambda: status.ask("/ready")[0].status == 200, 20, "ready")
