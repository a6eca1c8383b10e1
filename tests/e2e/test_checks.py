"""nerve's checks: how they ask, and what they make of all kinds of answers."""

import fcntl
import os
import re
import resource
import signal
import socket

import pytest

import wait
from certificates import Authority
from nerve import watched
from network import Network
from scripted import Scripted, answer
from zookeeper import children, registrations

# These tests look at the first result only, so they may wait for it.
HTTP = {"type": "http", "uri": "/health", "timeout": 5}


def check(sandbox, zookeeper, path, services, **options):
    """Starts a nerve for {name: (server, check)}, each below `path`."""
    return sandbox.nerve("one", {
        name: watched(server, zookeeper, f"{path}/{name}", checks=[one])
        for name, (server, one) in services.items()}, **options)


def verdict(nerve, name):
    """Returns the first result that nerve logs for a service: "up", or "down
    (why)"."""
    line = nerve.process.says(rf" {name}: instance .* unknown -> ")
    return line.partition("unknown -> ")[2]


def test_answers_are_judged_by_status_and_expected_text(
        sandbox, healthy, path):
    cases = {
        "lowest": (answer(status=200), {}, "up"),
        "highest": (answer(status=399), {}, "up"),
        "above": (answer(status=400), {}, r"down \(http: status 400\)"),
        "below": (b"HTTP/1.1 199 -\r\n\r\n" + answer(status=500), {},
                  r"down \(http: status 500\)"),
        "said": (answer(b"all is OK here"), {"expect": "OK"}, "up"),
        "unsaid": (answer(b"all is well"), {"expect": "OK"},
                   r'down \(http: status 200, but no "OK" in the answer\)'),
        "silent": (answer(b""), {"expect": "OK"},
                   r'down \(http: status 200, but no "OK" in the answer\)'),
        "failing": (answer(b"OK", 503), {"expect": "OK"},
                    r"down \(http: status 503\)"),
        "foreign": (b"220 mail ready\r\n\r\n", {},
                    r"down \(http: the answer is not HTTP\)")}
    nerve = check(sandbox, healthy, path, {
        name: (Scripted(sandbox, [text]), {**HTTP, **more})
        for name, (text, more, _) in cases.items()})
    for name, (_, _, wanted) in cases.items():
        assert re.fullmatch(wanted, verdict(nerve, name)), name


def test_statuses_are_expected_as_configured(sandbox, healthy, path):
    wanted = {"expect_status": ["200-299", 404]}
    cases = {
        200: "up", 299: "up", 404: "up",
        300: r"down \(http: status 300\)", 403: r"down \(http: status 403\)",
        405: r"down \(http: status 405\)"}
    nerve = check(sandbox, healthy, path, {
        f"s{status}": (Scripted(sandbox, [answer(status=status)]),
                       {**HTTP, **wanted})
        for status in cases})
    for status, wanted in cases.items():
        assert re.fullmatch(wanted, verdict(nerve, f"s{status}")), status


def test_the_method_is_sent_as_configured(sandbox, healthy, path):
    head = b"HTTP/1.1 200 -\r\nContent-Length: 100\r\n\r\n"
    servers = {method: Scripted(sandbox, [head if method == "HEAD"
                                          else answer(b"OK")])
               for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT")}
    nerve = check(sandbox, healthy, path, {
        method: (server, {**HTTP, "method": method})
        for method, server in servers.items()})
    for method, server in servers.items():
        assert verdict(nerve, method) == "up", method
        assert server.requests[0].startswith(f"{method} /health HTTP/1.1\r\n")
        assert ("\r\nContent-Length: 0\r\n" in server.requests[0]) == (
            method in ("POST", "PUT")), method


def test_tls_is_verified_only_where_asked(sandbox, healthy, path):
    ours, theirs = Authority(sandbox, "ours"), Authority(sandbox, "theirs")
    server = Scripted(sandbox, [answer(b"OK")],
                      tls=ours.context("web.example"))
    secure = {**HTTP, "ssl": True, "timeout": 5}
    trusted = {**secure, "ca_file": ours.file}
    cases = {
        "unverified": (server, secure, "up"),
        "expected": (server, {**secure, "expect": "OK"}, "up"),
        "named": (server, {**trusted, "sni": "web.example"}, "up"),
        "foreign": (server, {**secure, "ca_file": theirs.file,
                             "sni": "web.example"}, r"down \(http: SSL .*"),
        "system": (server, {**secure, "verify": True, "sni": "web.example"},
                   r"down \(http: SSL .*"),
        "misnamed": (server, {**trusted, "sni": "other.example"},
                     r"down \(http: SSL: .*other.example.*"),
        "unnamed": (server, trusted, r"down \(http: SSL: .*"),
        "unasked": (server, HTTP, r"down \(http: .*")}
    nerve = check(sandbox, healthy, path, {
        name: (server, one) for name, (server, one, _) in cases.items()})
    for name, (_, _, wanted) in cases.items():
        assert re.fullmatch(wanted, verdict(nerve, name)), name
    assert {"web.example", "other.example", None} <= set(server.names)


def test_the_certificate_may_bear_the_hosts_own_name(
        sandbox, healthy, path):
    ours = Authority(sandbox, "ours")
    server = Scripted(sandbox, [answer()], tls=ours.context("localhost"),
                      host="127.0.0.1")
    secure = {**HTTP, "ssl": True, "timeout": 5, "ca_file": ours.file}
    nerve = check(sandbox, healthy, path, {
        "name": (server, {**secure, "host": "localhost"}),
        "address": (server, secure)})
    assert verdict(nerve, "name") == "up"
    assert verdict(nerve, "address").startswith("down (http: SSL: ")
    wait.until(lambda: f"\r\nHost: localhost:{server.port}\r\n"
               in "".join(server.requests), 10, "asked by name")


def test_a_tls_handshake_that_hangs_is_an_overrun(sandbox, healthy, path):
    """The server accepts the connection and never sends anything."""
    mute = Scripted(sandbox, [60])
    nerve = check(sandbox, healthy, path, {
        "whole": (mute, {**HTTP, "ssl": True, "timeout": 0.3}),
        "opening": (mute, {**HTTP, "ssl": True, "read_timeout": 5,
                           "open_timeout": 0.2, "ssl_timeout": 0.1})})
    assert verdict(nerve, "whole") == "down (http: no answer within 300 ms)"
    assert verdict(nerve, "opening") == (
        "down (http: no connection within open_timeout)")


def test_only_as_much_of_an_answer_is_read_as_is_needed(
        sandbox, healthy, path):
    head = b"HTTP/1.1 200 -\r\n\r\n"
    endless = [head] + [b"x" * 10000] * 1000
    cases = {
        "split": ([head, b"all O", 0.1, b"K"], {"expect": "OK"}, "up"),
        "unended": ([head, b"OK", 60], {"expect": "OK"}, "up"),
        "endless": (endless, {}, "up"),
        "late": (endless + [b"OK"], {"expect": "OK"}, "down .* no \"OK\".*"),
        "slow": ([head, b"x", 60], {"timeout": 0.3},
                 r"down \(http: no answer within 300 ms\)"),
        "mute": ([60], {"timeout": 0.3},
                 r"down \(http: no answer within 300 ms\)")}
    nerve = check(sandbox, healthy, path, {
        name: (Scripted(sandbox, text), {**HTTP, **more})
        for name, (text, more, _) in cases.items()})
    for name, (_, _, wanted) in cases.items():
        assert re.fullmatch(wanted, verdict(nerve, name)), name


def test_a_request_is_sent_as_it_was_configured(sandbox, healthy, path):
    server = Scripted(sandbox, [answer()])
    plain = Scripted(sandbox, [answer()])
    check(sandbox, healthy, path, {
        "plain": (plain, HTTP),
        "odd": (server, {**HTTP, "uri": "/a/../b%20c?d=e",
                         "headers": {"Host": "web.example", "X-Empty": ""}})})
    wait.until(lambda: plain.requests and server.requests, 10, "both are asked")
    assert plain.requests[0].startswith("GET /health HTTP/1.1\r\n")
    assert f"\r\nHost: {plain.host}:{plain.port}\r\n" in plain.requests[0]
    assert "\r\nUser-Agent: nerve/" in plain.requests[0]
    assert server.requests[0].startswith("GET /a/../b%20c?d=e HTTP/1.1\r\n")
    assert "\r\nHost: web.example\r\n" in server.requests[0]
    assert "\r\nX-Empty:\r\n" in server.requests[0]


def test_every_check_makes_a_connection_of_its_own(
        sandbox, healthy, witness, path):
    """The server reads one request from each connection and keeps it open."""
    server = Scripted(sandbox, [answer()], close=False)
    check(sandbox, healthy, path, {"web": (server, HTTP)})
    wait.until(lambda: len(server.requests) > 5, 10, "it is asked again")
    assert children(witness, f"{path}/web")


def test_redirects_are_not_followed(sandbox, healthy, path):
    target = Scripted(sandbox, [answer(status=500)])
    server = Scripted(sandbox, [answer(
        b"", 302, f"Location: http://{target.host}:{target.port}/")])
    nerve = check(sandbox, healthy, path, {"web": (server, HTTP)})
    assert verdict(nerve, "web") == "up"
    wait.until(lambda: len(server.requests) > 3, 10, "it is asked again")
    assert target.requests == []


def test_proxy_variables_are_ignored(sandbox, healthy, path):
    proxy = Scripted(sandbox, [answer(status=502)])
    server = Scripted(sandbox, [answer()])
    nerve = check(sandbox, healthy, path, {"web": (server, HTTP)},
                  start=False)
    nerve.start(env={**os.environ, **{
        name: f"http://{proxy.host}:{proxy.port}"
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")}})
    assert verdict(nerve, "web") == "up"
    assert proxy.requests == []


def test_tcp_says_and_expects_as_configured(sandbox, healthy, path):
    tcp = {"type": "tcp", "timeout": 5}
    asks = {**tcp, "send": "ruok\n", "expect": "imok"}
    endless = [b"x" * 10000] * 1000
    cases = {
        "greeted": (b"", [b"220 ", 0.1, b"mail ready\r\n", 60],
                    {**tcp, "expect": "220 mail"}, "up"),
        "turned away": (b"", [b"554 no\r\n"], {**tcp, "expect": "220 "},
                        r'down \(tcp: no "220 " in the answer "554 no"\)'),
        "asked": (b"\n", [b"imok"], asks, "up"),
        "closed": (b"\n", [], asks,
                   r'down \(tcp: closed, and no "imok" came\)'),
        "mute": (b"\n", [60], {**asks, "timeout": 0.2},
                 r"down \(tcp: no answer within 200 ms\)"),
        "endless": (b"\n", endless, asks,
                    r'down \(tcp: no "imok" in the answer "x{60}"\)'),
        "too late": (b"\n", [b"x" * 65536, b"imok"], asks, r"down .*"),
        "told": (b"\n", [60], {**tcp, "send": "hello\n"}, "up")}
    servers = {name: Scripted(sandbox, text, end=end)
               for name, (end, text, _, _) in cases.items()}
    nerve = check(sandbox, healthy, path, {
        name: (servers[name], one) for name, (_, _, one, _) in cases.items()})
    for name, (_, _, _, wanted) in cases.items():
        assert re.fullmatch(wanted, verdict(nerve, name)), name
    wait.until(lambda: servers["told"].requests, 10, "it heard")
    assert servers["told"].requests[0] == "hello\n"
    assert servers["asked"].requests[0] == "ruok\n"


def test_redis_is_pinged(sandbox, healthy, path):
    cases = {
        "ready": (b"+PONG\r\n+OK\r\n", "up"),
        "locked": (b"-NOAUTH Authentication required.\r\n+OK\r\n",
                   r'down \(redis: no "\+PONG" in the answer "-NOAUTH '
                   r'Authentication required\."\)'),
        "loading": (b"-LOADING Redis is loading the dataset in memory\r\n",
                    r"down \(redis: .*-LOADING .*")}
    servers = {name: Scripted(sandbox, [text], end=b"QUIT\r\n")
               for name, (text, _) in cases.items()}
    nerve = check(sandbox, healthy, path, {
        name: (server, {"type": "redis", "timeout": 5})
        for name, server in servers.items()})
    for name, (_, wanted) in cases.items():
        assert re.fullmatch(wanted, verdict(nerve, name)), name
    assert servers["ready"].requests[0] == "PING\r\nQUIT\r\n"


def test_a_program_decides(sandbox, healthy, path):
    server = Scripted(sandbox, [answer()])
    cases = {
        "good": (["true"], "up"),
        "bad": (["sh", "-c", "echo one; echo two >&2; exit 3"],
                r"down \(exec: exit status 3: two\)"),
        "killed": (["sh", "-c", "kill -9 $$"],
                   r"down \(exec: ended by signal 9 \(Killed\)\)"),
        "missing": (["/nonexistent/program"],
                    r"down \(exec: /nonexistent/program: No such file .*\)"),
        "slow": (["sleep", "1000"],
                 r"down \(exec: no answer within 1000 ms\)"),
        "no shell": (["test", "a b", "=", "a b"], "up")}
    nerve = check(sandbox, healthy, path, {
        name: (server, {"type": "exec", "command": command, "timeout":
                        1 if name == "slow" else 20})
        for name, (command, _) in cases.items()})
    for name, (_, wanted) in cases.items():
        assert re.fullmatch(wanted, verdict(nerve, name)), name


def test_a_program_that_cannot_be_loaded_holds_up_nothing_else(
        sandbox, healthy, witness, path):
    """nerve's loop waited while a program was loaded. On a file system that
    hung, this took so long that the watchdog ended nerve, again and again.
    Here a lease on the file makes the program's start wait."""
    server = Scripted(sandbox, [answer()])
    program = sandbox.write("program", "#!/bin/sh\nexit 0\n")
    os.chmod(program, 0o700)
    lease = os.open(program, os.O_RDWR)
    # Who breaks the lease sends this signal, which does nothing.
    fcntl.fcntl(lease, fcntl.F_SETSIG, signal.SIGURG)
    fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    nerve = check(sandbox, healthy, path, {
        "hung": (server, {"type": "exec", "command": [program],
                          "timeout": 0.3}),
        "web": (server, HTTP)}, watchdog=2)
    assert "no answer within 300 ms" in verdict(nerve, "hung")
    assert verdict(nerve, "web") == "up"
    before = len(server.requests)
    wait.until(lambda: len(server.requests) > before + 30, 20,
               "the other check goes on")
    os.close(lease)
    nerve.process.says(" hung: instance .* down -> up")


def test_a_program_that_is_not_found_is_told_so(sandbox, healthy, path):
    """With a directory in PATH that nerve may not search, the reason was
    "Permission denied"."""
    server = Scripted(sandbox, [answer()])
    nerve = check(sandbox, healthy, path, {"web": (server, {
        "type": "exec", "command": ["nosuchprogram"]})},
        env={**os.environ, "PATH": "/dev/null/bin:/bin"})
    assert verdict(nerve, "web") == (
        "down (exec: nosuchprogram: no program of this name in PATH that may "
        "be run)")


def test_a_program_has_the_limits_that_nerve_was_started_with(
        sandbox, healthy, path):
    """nerve raises its own limit of descriptors. A program that inherits this
    limit and closes all possible descriptors one by one exceeds its
    timeout."""
    server = Scripted(sandbox, [answer()])
    nerve = check(sandbox, healthy, path, {"web": (server, {
        "type": "exec", "command": ["sh", "-c", "ulimit -n; exit 1"]})})
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = f"down (exec: exit status 1: {limit})"
    assert verdict(nerve, "web") == wanted


# Fails if it has more descriptors than its own input and output. For example,
# the client library does not close the session's socket for programs that are
# started. Each run writes a byte to a file.
HOLDS_NOTHING = """
import os, sys
open(sys.argv[1], "a").write("x")
held = [n for n in range(3, 1000) if os.path.exists(f"/proc/self/fd/{n}")]
sys.exit(f"held {held}" if held else 0)
"""


def test_a_program_holds_nothing_of_nerves(
        sandbox, healthy, witness, path):
    server = Scripted(sandbox, [answer()])
    runs = sandbox.write("runs", "")
    nerve = check(sandbox, healthy, path, {"web": (server, {
        "type": "exec", "timeout": 20,
        "command": ["/usr/bin/python3", "-c", HOLDS_NOTHING, runs]})})
    assert verdict(nerve, "web") == "up"
    wait.until(lambda: children(witness, f"{path}/web"), 10, "registered")
    before = os.path.getsize(runs)
    wait.until(lambda: os.path.getsize(runs) > before + 2, 30, "it runs on")
    assert " -> down" not in nerve.process.text()


def test_programs_end_with_nerve(sandbox, healthy, path):
    """The shell and the processes that it starts hold the writing end of a
    FIFO."""
    server = Scripted(sandbox, [answer()])
    fifo = sandbox.path("fifo")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    sandbox.at_last(lambda: os.close(reader))
    nerve = check(sandbox, healthy, path, {"web": (server, {
        "type": "exec", "timeout": 1000, "command":
        ["sh", "-c", f"exec 5>{fifo}; sleep 1000 & echo x >&5; wait"]})})
    wait.until(lambda: readable(reader) == b"x\n", 10, "it runs")
    nerve.process.stop()
    wait.until(lambda: readable(reader) == b"", 10, "all of it ended")


def readable(reader):
    """Returns what can be read now: b"" if nobody writes, None if nothing
    came."""
    try:
        return os.read(reader, 100)
    except BlockingIOError:
        return None


def test_noop_passes_whatever_is(sandbox, healthy, witness, path):
    server = Scripted(sandbox, [answer()])
    server.close()
    nerve = check(sandbox, healthy, path, {"web": (server, {"type": "noop"})})
    assert verdict(nerve, "web") == "up"
    wait.until(lambda: children(witness, f"{path}/web"), 10, "registered")


def test_ipv6_and_names_are_checked_as_addresses_are(
        sandbox, healthy, witness, path):
    six = Scripted(sandbox, [answer()], host="::1")
    named = Scripted(sandbox, [answer()], host="127.0.0.1")
    nerve = check(sandbox, healthy, path, {
        "http6": (six, HTTP), "tcp6": (six, {"type": "tcp", "timeout": 5}),
        "http-name": (named, {**HTTP, "host": "localhost"}),
        "tcp-name": (named, {"type": "tcp", "host": "localhost",
                             "timeout": 5}),
        "unknown": (named, {**HTTP, "host": "unknown.invalid",
                            "timeout": 5})})
    for name in "http6", "tcp6", "http-name", "tcp-name":
        assert verdict(nerve, name) == "up"
    wait.until(lambda: children(witness, f"{path}/http6"), 10, "registered")
    assert registrations(witness, f"{path}/http6") == [
        f'{{"host":"::1","port":{six.port},"name":"one"}}'.encode()]
    assert verdict(nerve, "unknown").startswith("down (http: unknown.invalid:")


def test_nothing_listening_is_told_in_the_systems_words(
        sandbox, healthy, path):
    server = Scripted(sandbox, [answer()])
    server.close()
    nerve = check(sandbox, healthy, path, {
        "web": (server, HTTP), "port": (server, {"type": "tcp"})})
    for name in "web", "port":
        assert "refused" in verdict(nerve, name)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_with_itself_is_no_service(host, sandbox):
    """The kernel can choose the checked port itself as the port to connect
    from, if nothing listens on it. The check then connected to itself, and the
    service was up. Here no other port is free."""
    with Network():
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
            file.write("50000 50001")
        nerve = sandbox.nerve("one", {"web": {
            "host": host, "port": 50000, "zk_hosts": ["127.0.0.1:1"],
            "zk_path": "/web", "checks": [{"type": "tcp",
                                           "timeout": 5}]}})
        assert verdict(nerve, "web") == "down (tcp: connection refused)"


@pytest.mark.parametrize("more", [
    {"type": "tcp"}, {"type": "http", "uri": "/"},
    {"type": "http", "uri": "/", "ssl": True, "ssl_verify": False}])
def test_a_connection_with_itself_leaves_the_port_free(more, sandbox):
    """The remains of such a connection kept the service from binding its own
    port for a minute."""
    with Network():
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
            file.write("50000 50001")
        nerve = sandbox.nerve("one", {"web": {
            "host": "127.0.0.1", "port": 50000, "zk_hosts": ["127.0.0.1:1"],
            "zk_path": "/web", "check_interval": 60,
            "checks": [{"timeout": 5, **more}]}})
        assert verdict(nerve, "web").startswith("down")
        with socket.socket() as server:
            server.bind(("127.0.0.1", 50000))


def test_a_service_without_checks_is_registered(
        sandbox, healthy, witness, path):
    server = Scripted(sandbox, [answer()])
    server.close()
    sandbox.nerve("one", {"web": watched(server, healthy, path, checks=[])})
    wait.until(lambda: children(witness, path), 10, "it is registered")


def test_the_payload_can_be_in_the_name_too(
        sandbox, healthy, witness, path):
    server = Scripted(sandbox, [answer()])
    sandbox.nerve("one", {"web": watched(server, healthy, path, checks=[],
                                         use_path_encoding=True)})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    [name] = children(witness, path)
    assert re.fullmatch(r"base64_\d+_[-\w=]+_\d{10}", name)
    assert registrations(witness, path) == [
        f'{{"host":"{server.host}","port":{server.port},"name":"one"}}'
        .encode()]


def test_a_service_over_its_rate_is_throttled_unless_in_shadow_mode(
        sandbox, healthy, witness, path):
    """The limit allows no change at all, not even the first registration."""
    server = Scripted(sandbox, [answer()])
    never = {"average_rate": 0, "max_burst": 1}
    nerve = sandbox.nerve("one", {
        name: watched(server, healthy, f"{path}/{name}", rate_limiting=limits)
        for name, limits in {"shadow": never, "held":
                             {**never, "shadow_mode": False}}.items()})
    nerve.process.says("warning held: rate_limiting throttles unknown -> up$")
    nerve.process.says("info shadow: rate_limiting would throttle "
                       "unknown -> up, but for shadow_mode$")
    wait.until(lambda: children(witness, f"{path}/shadow"), 10, "registered")
    wait.until(lambda: len(server.requests) > 6, 10, "passes go on")
    assert not witness.exists(f"{path}/held")
    assert len(nerve.process.lines("held: ")) == 1


def test_late_passes_are_counted(sandbox, healthy, witness, path):
    """nerve itself is stopped for a while: every check is late, and one log
    line says so."""
    server = Scripted(sandbox, [answer()])
    nerve = sandbox.nerve("one", {
        f"s{number}": watched(server, healthy, f"{path}/{number}")
        for number in range(20)})
    nerve.process.says(" s19: registered as ")
    wait.until(lambda: len(server.requests) > 60, 10, "passes go on")
    nerve.process.freeze()
    wait.always(lambda: True, 0.5, "nerve is stopped")
    nerve.process.thaw()
    line = nerve.process.says("warning checks: ")
    # On a busy machine a check may be left out before any is late.
    assert re.search(r"checks: (\d+ started late, by \d+ ms at most)?(; )?"
                     r"(\d+ left out, for the run before had not ended)?$",
                     line)
    before = len(server.requests)
    wait.until(lambda: len(server.requests) > before + 60, 10, "they go on")
    assert len(nerve.process.lines("warning checks: ")) == 1


def test_a_changing_service_is_told_old_to_new_with_the_reason(
        sandbox, healthy, path):
    one = sandbox.service("one")
    nerve = sandbox.nerve("one", {"web": watched(one, healthy, path)})
    nerve.process.says(r"info nerve \S+ starts as one, 1 service$")
    nerve.process.says(r"info web: registered as /\S+/one_\d{10}$")
    one.set_health("down")
    where = re.escape(f"{one.host}:{one.port}")
    nerve.process.says(rf"warning web: instance {where} up -> down "
                       r"after 2 failures \(http: status 503\)$")
    nerve.process.says(r"info web: registration /\S+/one_\d{10} removed$")
    one.set_health("up")
    nerve.process.says(rf"info web: instance {where} down -> up "
                       r"after 1 success$")
