"""A service comes up and goes down: what ZooKeeper and HAProxy show, and what
clients notice."""

import re

import wait
from haproxy import Backend, web
from nerve import http_check, watched
from zookeeper import children, register, registrations


def test_a_healthy_service_is_registered_with_the_exact_payload(
        sandbox, healthy, witness, path):
    service = sandbox.service("one")
    sandbox.nerve("one", {"web": watched(
        service, healthy, path, weight=7, haproxy_server_options="backup",
        labels={"zone": "a", "rack": "1"})})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    [name] = children(witness, path)
    data, stat = witness.get(f"{path}/{name}")
    assert data == (
        f'{{"host":"{service.host}","port":{service.port},"name":"one",'
        f'"weight":7,"haproxy_server_options":"backup",'
        f'"labels":{{"zone":"a","rack":"1"}}}}').encode()
    assert re.fullmatch(r"one_\d{10}", name)
    assert stat.ephemeralOwner != 0
    [acl] = witness.get_acls(f"{path}/{name}")[0]
    assert (acl.id.scheme, acl.id.id, acl.perms) == ("world", "anyone", 31)


def test_a_service_comes_up_after_rise_successes_and_gets_traffic(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    two = sandbox.service("two", health="down")
    proxy = sandbox.haproxy([web(healthy, path)])
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    sandbox.nerve("two", {"web": watched(
        two, healthy, path, check_interval=0.3,
        checks=[http_check(rise=4)])})
    wait.until(lambda: two.checks() > 2, 10, "two is checked")
    assert registrations(witness, path) == [one.payload("one")]
    with sandbox.load(proxy) as load:
        before = two.checks()
        two.set_health("up")
        wait.until(lambda: two.payload("two") in registrations(witness, path),
                   10, "two is registered")
        assert two.checks() - before >= 4
        proxy.serves([one, two])
        wait.until(lambda: load.answers["two"] > 20, 10, "two gets traffic")
    load.assert_none_failed()


def test_a_service_goes_down_after_fall_failures_and_no_request_fails(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path)])
    register(witness, path, one.payload("one"))
    sandbox.nerve("two", {"web": watched(
        two, healthy, path, check_interval=0.3,
        checks=[http_check(fall=4)])})
    proxy.serves([one, two])
    with sandbox.load(proxy) as load:
        wait.until(lambda: load.answers["two"] > 20, 10, "two gets traffic")
        before = two.checks()
        two.set_health("down")
        wait.until(lambda: registrations(witness, path) ==
                   [one.payload("one")], 10, "two is not registered")
        assert two.checks() - before >= 4
        proxy.serves([one])
        load.settle()
        count = load.answers["two"]
        two.process.kill()
        load.settle(100)
    assert load.answers["two"] == count
    load.assert_none_failed()


def test_control_without_nerve_a_service_that_ends_fails_requests(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path, server="",
                                 lines=["retries 0"])])
    for service in one, two:
        register(witness, path, service.payload(service.name))
    proxy.serves([one, two])
    with sandbox.load(proxy, "control: no nerve, no checks") as load:
        two.set_health("down")
        two.process.kill()
        wait.until(lambda: load.failed > 5, 10, "requests fail")
    load.assert_some_failed()


def test_control_without_the_agent_a_new_service_gets_no_traffic(
        sandbox, healthy, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy(
        [Backend(slots=0, lines=[f"server one {one.host}:{one.port}"])],
        agent=False)
    sandbox.nerve("two", {"web": watched(two, healthy, path)})
    with sandbox.load(proxy, "control: no agent") as load:
        one.process.kill()
        wait.until(lambda: load.failed > 20, 10, "requests fail")
    assert load.answers["two"] == 0
    load.assert_some_failed()


def test_a_tcp_check_follows_the_port(sandbox, healthy, witness, path):
    one = sandbox.service("one", health="down")
    sandbox.nerve("one", {"web": watched(one, healthy, path, checks=[
        {"type": "tcp", "timeout": 1, "rise": 1, "fall": 2}])})
    wait.until(lambda: registrations(witness, path) == [one.payload("one")],
               10, "it is registered")
    one.process.kill()
    wait.until(lambda: not children(witness, path), 10, "it is gone")
    one.start()
    wait.until(lambda: registrations(witness, path) == [one.payload("one")],
               10, "it is registered again")


def test_an_http_check_wants_what_it_expects_and_sends_its_headers(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    checks = {
        "good": http_check(expect="OK", headers={"X-Health": "please"}),
        "other": http_check(expect="FINE"),
        "header": http_check(uri="/needs-header",
                             headers={"X-Health": "please"}),
        "none": http_check(uri="/needs-header"),
        "missing": http_check(uri="/status/404"),
        "moved": http_check(uri="/status/302")}
    sandbox.nerve("one", {
        name: watched(one, healthy, f"{path}/{name}", checks=[check])
        for name, check in checks.items()})
    for name in "good", "header", "moved":
        wait.until(lambda at=name: children(witness, f"{path}/{at}"), 10,
                   f"{name} is registered")
    for name in "other", "none", "missing":
        assert not children(witness, f"{path}/{name}")


def test_checks_run_in_order_and_stop_at_the_first_failure(
        sandbox, healthy, witness, path):
    first, second = sandbox.service("first"), sandbox.service("second")
    sandbox.nerve("one", {"web": watched(first, healthy, path, checks=[
        http_check(), http_check(port=second.port)])})
    wait.until(lambda: second.checks() > 3, 10, "the second check runs")
    wait.until(lambda: children(witness, path), 10, "it is registered")
    first.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "it is gone")
    before, first_before = second.checks(), first.checks()
    wait.until(lambda: first.checks() > first_before + 5, 10,
               "the first check goes on")
    assert second.checks() <= before + 1


def test_a_check_that_hangs_fails_at_its_timeout_and_blocks_no_other(
        sandbox, healthy, witness, path):
    slow, quick = sandbox.service("slow"), sandbox.service("quick")
    sandbox.nerve("one", {
        "slow": watched(slow, healthy, f"{path}/slow",
                        checks=[http_check(timeout=0.5)]),
        "quick": watched(quick, healthy, f"{path}/quick")})
    for name in "slow", "quick":
        wait.until(lambda at=name: children(witness, f"{path}/{at}"), 10,
                   f"{name} is registered")
    slow.set_health("hang")
    wait.until(lambda: not children(witness, f"{path}/slow"), 10,
               "the slow one is gone")
    before = quick.checks()
    wait.until(lambda: quick.checks() > before + 10, 3,
               "the quick one is checked at its pace")
    assert len(children(witness, f"{path}/quick")) == 1
