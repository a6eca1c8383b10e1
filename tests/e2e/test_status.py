"""What the agent reports over HTTP."""

import os
import re
import subprocess

import pytest

import program
import wait
from haproxy import web
from lua import PROGRAMS
from service import compact
from status import Status
from zookeeper import register


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
    event = wait.until(lambda: [
        it for it in status.events()
        if it.get("instance") == one.address], 5, "an event")[-1]
    assert (event["service"], event["from"], event["to"]) == (
        "web", "absent", "ready")
    assert 0 < event["ms"] < 2000 * wait.FACTOR


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
    def nothing():
        first.update(status.json("/status.json"))
        then = status.json(f"/status.json?since={first['cursor']}")
        return then["delta"] and then["services"] == []
    wait.until(nothing, 5, "nothing has changed")
    one.process.kill()
    wait.until(lambda: status.json(
        f"/status.json?since={first['cursor']}")["services"], 5, "it changed")
    foreign = status.json("/status.json?since=1.1")
    assert not foreign["delta"] and len(foreign["services"]) == 1


def test_what_did_not_change_is_not_sent_again(status):
    def unchanged():
        tag = status.ask("/status.json")[0].headers["ETag"]
        again, body = status.ask("/status.json", **{"If-None-Match": tag})
        return again.status == 304 and body == ""
    wait.until(unchanged, 5, "304")


def test_the_page_is_small_and_its_policy_is_told_with_each_answer(status):
    answer, body = status.ask("/")
    assert len(body.encode()) < 60_000
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    again, nothing = status.ask("/", **{"If-None-Match":
                                        answer.headers["ETag"]})
    assert (again.status, nothing) == (304, "")
    # A browser with other headers would not run the page's own scripts.
    assert again.headers["Content-Security-Policy"] == policy


def test_head_has_the_head_alone_and_nothing_else_is_allowed(status):
    wait.until(lambda: status.ask("/ready")[0].status == 200, 10, "ready")
    for path in ("/", "/metrics", "/status.json", "/events.json", "/ready", "/healthz"):
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
    ("/status.json?nothing=1", "nothing: no such parameter (counters, history"),
    ("/status.json?" + "&".join(["service=a"] * 51), "service: more than 50"),
    ("/events.json?since=-1", 'since: "-1" is not an integer from 0'),
    ("/status.json?counters=1", "counters: only with service, or with limit"),
    ("/ready?a=1", "a: no such parameter (none is known here)"),
])
def test_a_question_that_makes_no_sense_is_told_what_would(
        status, asked, said):
    answer, body = status.ask(asked)
    assert answer.status == 400 and said in body


def test_one_service_is_told_with_counters_and_raw_data(
        witness, path, one, proxy, status):
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    for _ in range(3):
        assert proxy.get()[0] == 200
    def full():
        [service] = status.json(
            "/status.json?service=web&counters=1")["services"]
        return service
    wait.until(lambda: "L4OK" in full()["instances"][0].get(
        "counters", {}).get("check", ""), 5, "its check is told")
    [instance] = full()["instances"]
    assert instance["data"] == one.payload("one").decode()
    assert instance["znode"].startswith("other_")
    one.process.kill()
    wait.until(lambda: full()["instances"][0]["counters"]["check"] == "L4CON",
               5, "its check fails")
    assert full()["instances"][0]["counters"]["check_said"]
    assert proxy.get()[0] == 503
    wait.until(lambda: full()["counters"]["errors"] > 0, 5, "an error")
    [brief] = status.json(
        "/status.json?service=web&counters=1&instances=0")["services"]
    assert "instances" not in brief and brief["counts"] == {"failed": 1}
    for name in ("errors", "sessions", "queue"):
        assert brief["counters"][name] == full()["counters"][name]
    # The agent looks at HAProxy's counters by itself, now and then.
    def in_the_hour(what):
        return sum(it[what] for it in full()["history"])
    wait.until(lambda: in_the_hour("errors") == full()["counters"]["errors"],
               10, "the last hour has it")
    assert in_the_hour("changes") >= 2
    assert full()["history"][-1]["ready"] == 0


def promtool(*arguments, text=""):
    """Returns what promtool prints, and whether it is satisfied."""
    done = subprocess.run(["promtool", *arguments], input=text, text=True,
                          capture_output=True, timeout=60 * wait.FACTOR,
                          cwd=program.ROOT)
    return done.returncode, done.stdout + done.stderr


def test_the_metrics_are_what_prometheus_reads(
        sandbox, witness, path, one, proxy, status):
    register(witness, path, one.payload("one"))
    register(witness, path, b"rubbish", "bad_")
    proxy.serves([one])
    # The first instance may have been there before there was a watch.
    two = sandbox.service("two")
    register(witness, path, two.payload("two"))
    wait.until(lambda: status.service()["counts"] == {
        "ready": 2, "invalid": 1}, 5, "all is read")
    wait.until(lambda: [it for it in status.events()
                        if it.get("instance") == two.address], 5,
               "all is settled")
    answer, text = status.ask("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"
    assert promtool("check", "metrics", text=text) == (0, "")
    def value(name):
        return float(re.search(rf"^{re.escape(name)} (.*)$", text, re.M)[1])
    of = 'synapse_service_instances{service="web",state='
    assert value(of + '"ready"}') == 2 and value(of + '"invalid"}') == 1
    assert value('synapse_service_slots{service="web",kind="free"}') == 6
    assert value("synapse_commands_total") >= 3
    assert value("synapse_commands_refused_total") == 0
    assert value("synapse_convergence_seconds_count") >= 1
    assert value("synapse_turn_seconds_count") > 3
    assert 0 < value("synapse_turn_seconds_sum") < 5
    assert re.search(r'^synapse_session_state\{ensemble=".*",'
                     r'state="connected"\} 1$', text, re.M)
    for name in set(re.findall(r"synapse_\w+", open(os.path.join(
            program.ROOT, "haproxy", "alerts.yml")).read())):
        assert name in text, f"an alert asks for {name}"


def test_each_alert_fires_when_it_should():
    assert promtool("check", "rules", "haproxy/alerts.yml")[0] == 0
    assert promtool("test", "rules", "tests/data/alerts_test.yml")[0] == 0


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


def test_what_the_snapshot_tells_of_every_service_makes_it_ready(
        sandbox, path, one):
    server = sandbox.zookeeper()
    register(server.client(), path, one.payload("one"))
    proxy = sandbox.haproxy([web(server, path)], status=True)
    proxy.serves([one])
    proxy.remembers([one])
    proxy.stop()
    server.freeze()
    proxy.start()
    status = Status(proxy)
    assert status.ask("/ready")[0].status == 200
    assert status.states() == {one.address: "ready"}
    assert status.service()["paths"][0]["state"] == "new"


def test_an_agent_that_ended_is_told_of_everywhere(sandbox, healthy, path):
    proxy = sandbox.haproxy([web(healthy, path)], status=True,
                            extra=[f"lua-load {PROGRAMS}/end.lua"])
    status = Status(proxy)
    assert status.ask("/healthz")[0].status == 200
    said = "the agent has not turned for"
    def dead():
        answer, body = status.ask("/healthz")
        return answer.status == 503 and said in body
    wait.until(dead, 40, "the agent is called dead")
    assert said in status.json("/status.json")["troubles"][0]
    assert said in proxy.ask("show synapse")
    _, text = status.ask("/metrics")
    assert float(re.search(r"^synapse_turn_age_seconds (.*)$", text,
                           re.M)[1]) > 15
