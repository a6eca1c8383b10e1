"""What nerve reports about itself: metrics, health, statsd."""

import re
import socket
import subprocess

import pytest
from kazoo.security import OPEN_ACL_UNSAFE, make_acl

import address
import wait
from metrics import Pages, Statsd, lint
from nerve import http_check, watched
from zookeeper import children

HOSTILE = 'a"b\\c\n} 1 #\u00e4' + "x" * 300


def label(service):
    return f'service="{service}"'


def check(service, result, index=0, name="http"):
    return (f'{label(service)},index="{index}",check="{name}",'
            f'result="{result}"')


def is_settled(pages):
    return pages.ask("/health")[0] == 200


def test_metrics_tell_of_services_checks_and_zookeeper(
        sandbox, healthy, path):
    one, two = sandbox.service("one"), sandbox.service("two", health="down")
    pages = Pages()
    sandbox.nerve("one", {"one": watched(one, healthy, f"{path}/one"),
                          "two": watched(two, healthy, f"{path}/two")},
                  metrics_listen=pages.listen)
    wait.until(lambda: is_settled(pages), 10, "all is in order")
    pages.counts("nerve_checks_total", check("one", "passed"), 3)
    pages.counts("nerve_checks_total", check("two", "failed"), 3)
    found = pages.samples()
    at = f'ensemble="{healthy.hosts}"'
    expected = {
        ("nerve_service_up", label("one")): 1,
        ("nerve_service_up", label("two")): 0,
        ("nerve_service_registered", label("one")): 1,
        ("nerve_service_registered", label("two")): 0,
        ("nerve_service_throttled_total", label("one")): 0,
        ("nerve_checks_total", check("one", "failed")): 0,
        ("nerve_checks_total", check("two", "passed")): 0,
        ("nerve_zk_connected", at): 1,
        ("nerve_zk_sessions_total", at): 1,
        ("nerve_zk_sessions_expired_total", at): 0,
        ("nerve_zk_write_failures_total", f'{at},operation="create"'): 0,
        ("nerve_zk_write_duration_seconds_count",
         f'{at},operation="delete"'): 0,
        ("nerve_config_reloads_total", 'result="done"'): 0,
    }
    assert {key: found[key] for key in expected} == expected
    took = f'{label("one")},index="0",check="http"'
    assert found["nerve_check_duration_seconds_count", took] >= 3
    assert 0 < found["nerve_check_duration_seconds_sum", took] < 60
    assert found["nerve_zk_write_duration_seconds_count",
                 f'{at},operation="create"'] >= 1
    assert found["nerve_check_late_seconds_count", ""] >= 6
    pages.counts("nerve_loop_lag_seconds_count", "", 1)


def test_promtool_finds_nothing_wrong_whatever_services_are_called(
        sandbox, healthy, path):
    one = sandbox.service("one")
    name = HOSTILE.replace("\n", "")
    checks = [http_check(name=name), http_check(name=name),
              {"type": "noop"}]
    names = [HOSTILE, HOSTILE + "1", HOSTILE + "2", "web"]
    pages = Pages()
    sandbox.nerve("one", {
        name: watched(one, healthy, f"{path}/{number}", checks=checks)
        for number, name in enumerate(names)}, metrics_listen=pages.listen)
    wait.until(lambda: is_settled(pages), 10, "all is in order")
    text = pages.text()
    assert text.count("\nnerve_service_up{") == len(names)
    assert max(map(len, text.splitlines())) < 1000
    assert lint(text) == (0, "")


def test_control_promtool_refuses_a_label_twice():
    assert lint('a{b="1"} 1\na{b="1"} 1\n')[0] != 0


def test_health_names_each_service_that_is_not_in_order(sandbox, path):
    server = sandbox.zookeeper()
    one, two = sandbox.service("one"), sandbox.service("two", health="down")
    pages = Pages()
    sandbox.nerve("one", {"one": watched(one, server, f"{path}/one"),
                          "two": watched(two, server, f"{path}/two")},
                  metrics_listen=pages.listen)
    wait.until(lambda: pages.ask("/health") == (200, "ok, 2 services\n"), 10,
               "all is in order")
    server.stop()
    away = (f"ZooKeeper is out of reach \\({server.hosts}: .*"
            "\\(Connection refused\\)\\)\n")
    wait.until(lambda: re.fullmatch(f"one: {away}two: {away}",
                                    pages.ask("/health")[1]), 10,
               "ZooKeeper is missed, and why")
    assert pages.ask("/health")[0] == 503
    server.start()
    wait.until(lambda: is_settled(pages), 10, "all is in order again")


def test_health_is_bad_as_long_as_zookeeper_refuses_the_registration(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    pages = Pages()
    witness.create(path, b"", makepath=True)
    witness.set_acls(path, [make_acl("world", "anyone", read=True,
                                     admin=True)])
    sandbox.nerve("one", {"web": watched(one, healthy, path)},
                  metrics_listen=pages.listen)
    refused = f'ensemble="{healthy.hosts}",operation="create"'
    wait.until(lambda: pages.ask("/health") ==
               (503, "web: up, but not registered (not authenticated)\n"), 10,
               "it is told with its cause")
    pages.counts("nerve_zk_write_failures_total", refused, 1)
    witness.set_acls(path, OPEN_ACL_UNSAFE)
    wait.until(lambda: is_settled(pages), 10, "it is registered")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_what_would_change_something_is_refused(
        method, sandbox, healthy, witness, path):
    one = sandbox.service("one")
    pages = Pages()
    sandbox.nerve("one", {"web": watched(one, healthy, path)},
                  metrics_listen=pages.listen)
    wait.until(lambda: is_settled(pages), 10, "all is in order")
    assert pages.ask("/metrics", method, b"x" * 100000)[0] in (405, None)
    assert pages.ask("/health", method)[0] == 405
    assert pages.ask("/metrics", "HEAD") == (200, "")
    assert pages.ask("/nothing")[0] == 404
    assert len(children(witness, path)) == 1


def listening(process):
    """Returns the addresses at which a process listens."""
    found = subprocess.run(["ss", "-Htlnp"], text=True, check=True,
                           capture_output=True).stdout
    return [line.split()[3] for line in found.splitlines()
            if f"pid={process.pid}," in line]


def test_it_listens_where_it_is_told_to_and_nowhere_else(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    services = {"web": watched(one, healthy, path)}
    pages, others = Pages(), Pages("127.0.0.1")
    nerve = sandbox.nerve("one", services)
    wait.until(lambda: children(witness, path), 10, "it is registered")
    assert listening(nerve.process) == []
    nerve.reload(services, metrics_listen=pages.listen)
    assert listening(nerve.process) == [pages.listen]
    assert pages.value("nerve_config_reloads_total", 'result="done"') == 1
    nerve.reload(services, metrics_listen=others.port)
    assert listening(nerve.process) == [others.listen]
    nerve.write("{")
    nerve.reload(says="not reloaded")
    assert others.value("nerve_config_reloads_total", 'result="refused"') == 1
    nerve.reload(services)
    assert listening(nerve.process) == []


def test_a_port_that_is_taken_is_told_and_used_once_it_is_free(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    pages = Pages()
    with socket.create_server((pages.host, pages.port)):
        nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)},
                              metrics_listen=pages.listen)
        nerve.process.says("error metrics_listen: .*in use")
        wait.until(lambda: children(witness, path), 10, "it is registered")
    wait.until(lambda: is_settled(pages), 30, "it listens")


def test_readers_that_hang_hold_up_nothing(sandbox, healthy, path):
    """More connections than nerve allows, each with half a request."""
    one = sandbox.service("one")
    pages = Pages()
    sandbox.nerve("one", {"web": watched(one, healthy, path)},
                  metrics_listen=pages.listen)
    wait.until(lambda: is_settled(pages), 10, "all is in order")
    hanging = [socket.create_connection((pages.host, pages.port))
               for _ in range(20)]
    for connection in hanging:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")
    checks = one.checks()
    wait.until(lambda: one.checks() > checks + 5, 5, "the checks go on")
    wait.until(lambda: is_settled(pages), 40, "the pages are there again")
    for connection in hanging:
        connection.close()


def test_statsd_gets_airbnbs_names(sandbox, healthy, witness, path):
    one = sandbox.service("one")
    statsd = Statsd(sandbox)
    services = {"web": watched(one, healthy, path)}
    more = {"statsd": {"host": "localhost", "port": statsd.port}}
    nerve = sandbox.nerve("one", services, **more)
    cluster = "zk_cluster:" + healthy.hosts.replace(",", "_")
    for line in (
            r"nerve\.start:1\|c",
            rf"nerve\.reporter\.zk\.client\.created:1\|c\|#{cluster}",
            r"nerve\.watcher\.launch:1\|c\|#launch_reason:new,"
            "watcher_name:web",
            r"nerve\.watcher\.status\.ping\.count:1\|c\|#"
            r"ping_result:success,service_name:web,nerve_version:[0-9.]+",
            r"nerve\.watcher\.status\.service_check:1\|c\|#check_result:up,"
            "service_name:web,check_name:http",
            r"nerve\.watcher\.status\.transition:1\|c\|#new_status:up,"
            "service_name:web",
            r"nerve\.reporter\.zk\.create\.elapsed_time:\d+\|ms\|#"
            + cluster):
        statsd.gets(line)
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "it is gone")
    statsd.gets(r"nerve\.reporter\.zk\.delete\.elapsed_time:\d+\|ms\|#"
                + cluster)
    nerve.reload(services | {"two": watched(one, healthy, f"{path}/two")},
                 **more)
    statsd.gets(r"nerve\.config\.update:1\|c")
    statsd.gets(rf"nerve\.reporter\.zk\.client\.reused:1\|c\|#{cluster}")
    nerve.reload(services, **more)
    statsd.gets(r"nerve\.watcher\.reap:1\|c\|#reap_reason:old,"
                "watcher_name:two")
    nerve.process.stop()
    statsd.gets(r"nerve\.stop:1\|c\|#stop_avenue:clean,"
                "stop_location:main_loop")


def test_a_statsd_that_reads_nothing_holds_up_nothing(
        sandbox, healthy, witness, path):
    """Its socket's buffer is full, or nothing listens, or its name has no
    address."""
    one = sandbox.service("one")
    full = Statsd(sandbox)
    pages = Pages()
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)},
                          metrics_listen=pages.listen,
                          statsd={"host": "127.0.0.1", "port": full.port})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    for place in ({"host": "127.0.0.1", "port": full.port},
                  {"host": address.HOST, "port": 1},
                  {"host": "no.such.name.invalid"}):
        nerve.reload({"web": watched(one, healthy, path)}, statsd=place,
                     metrics_listen=pages.listen)
        for health, count in (("down", 0), ("up", 1)):
            one.set_health(health)
            wait.until(lambda n=count: len(children(witness, path)) == n, 10,
                       f"{count} registered")
    pages.counts("nerve_statsd_lost_total", "", 1)


