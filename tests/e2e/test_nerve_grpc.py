"""nerve's grpc checks, against a real gRPC server and against wrong answers."""

import re

import pytest

import wait
from certificates import Authority
from grpc_service import NOT_SERVING, SERVING, GrpcService
from http2 import RST_STREAM, Http2, data, frame, headers
from nerve import watched
from scripted import Scripted, answer
from zookeeper import registrations

GRPC = {"type": "grpc", "timeout": 5}
SERVING_ANSWER = b"\0\0\0\0\2\x08\1"

HEAD = headers([(":status", "200"), ("content-type", "application/grpc")])
DONE = headers([("grpc-status", "0")], end=True)


def check(sandbox, zookeeper, path, services):
    """Starts a nerve for {name: (server, check)}, each below `path`."""
    return sandbox.nerve("one", {
        name: watched(server, zookeeper, f"{path}/{name}", checks=[one])
        for name, (server, one) in services.items()})


def verdict(nerve, name):
    """Returns the first result that nerve logs for a service: "up", or "down
    (why)"."""
    line = nerve.process.says(rf" {name}: instance .* unknown -> ")
    return line.partition("unknown -> ")[2]


def test_a_service_is_registered_while_its_server_says_serving(
        sandbox, healthy, path):
    server = GrpcService(sandbox, "shop", {"shop.Cart": SERVING})
    client = healthy.client()
    nerve = sandbox.nerve("one", {"shop": watched(
        server, healthy, path,
        checks=[{**GRPC, "service": "shop.Cart", "rise": 1, "fall": 2}])})
    server.asked("shop.Cart")
    wait.until(lambda: registrations(client, path), 10, "it is registered")
    server.say({"shop.Cart": NOT_SERVING})
    nerve.process.says(r"shop: instance .* up -> down after 2 failures "
                       r"\(grpc: NOT_SERVING\)")
    wait.until(lambda: not registrations(client, path), 10, "it is removed")
    server.say({"shop.Cart": SERVING})
    wait.until(lambda: registrations(client, path), 10, "it is back")
    server.process.stop()
    nerve.process.says(r"shop: instance .* up -> down after 2 failures "
                       r"\(grpc: (Connection refused|no answer in HTTP/2, "
                       r"which gRPC needs)\)")


def test_a_refusal_of_the_server_names_its_cause(sandbox, healthy, path):
    server = GrpcService(sandbox, "shop", {"": SERVING})
    without = GrpcService(sandbox, "mute", None)
    cases = {
        "whole": (server, GRPC, "up"),
        "stranger": (server, {**GRPC, "service": "shop.Cart"},
                     r"down \(grpc: grpc-status 5 \(NOT_FOUND\): the server "
                     r'has no service "shop.Cart"\)'),
        "healthless": (without, GRPC,
                       r"down \(grpc: grpc-status 12 \(UNIMPLEMENTED\): the "
                       r"server does not have grpc.health.v1.Health\)")}
    nerve = check(sandbox, healthy, path, {
        name: (server, one) for name, (server, one, _) in cases.items()})
    for name, (_, _, wanted) in cases.items():
        assert re.fullmatch(wanted, verdict(nerve, name)), name


def test_tls_is_verified_only_where_asked(sandbox, healthy, path):
    ours, theirs = Authority(sandbox, "ours"), Authority(sandbox, "theirs")
    server = GrpcService(sandbox, "shop", {"": SERVING},
                         certificate=ours.certificate("shop.example"))
    http1 = Scripted(sandbox, [answer(b"OK")], end=bytes(5),
                     tls=ours.context("shop.example"))
    secure = {**GRPC, "ssl": True}
    trusted = {**secure, "ca_file": ours.file}
    cases = {
        "unverified": (server, secure, "up"),
        "named": (server, {**trusted, "sni": "shop.example"}, "up"),
        "foreign": (server, {**secure, "ca_file": theirs.file,
                             "sni": "shop.example"}, r"down \(grpc: SSL .*"),
        "misnamed": (server, {**trusted, "sni": "other.example"},
                     r"down \(grpc: SSL: .*other.example.*"),
        "http1": (http1, secure, r"down \(grpc: the server answers in HTTP/1, "
                                 r"and gRPC needs HTTP/2\)"),
        "unasked": (server, GRPC, r"down \(grpc: .*")}
    nerve = check(sandbox, healthy, path, {
        name: (server, one) for name, (server, one, _) in cases.items()})
    for name, (_, _, wanted) in cases.items():
        assert re.fullmatch(wanted, verdict(nerve, name)), name


ANSWERS = {
    "right": ([HEAD, data(SERVING_ANSWER), DONE], "up"),
    "parts": ([HEAD, data(b"\0\0\0"), data(b""), data(b"\0\2\x08\1"), DONE],
              "up"),
    "html": ([headers([(":status", "200"), ("content-type", "text/html")]),
              data(b"<html>", end=True)],
             'content-type "text/html", not application/grpc: no gRPC server '
             "answers here"),
    "missing": ([headers([(":status", "404")], end=True)],
                "status 404; a gRPC server answers 200: another server, or a "
                "proxy, answers here"),
    "bare": ([HEAD, data(SERVING_ANSWER, end=True)],
             "no grpc-status in the trailers: the answer is cut off, or a "
             "proxy removes them"),
    "word": ([HEAD, headers([("grpc-status", "fine")], end=True)],
             'grpc-status "fine" is not a number'),
    "refused": ([headers([(":status", "200"),
                          ("content-type", "application/grpc"),
                          ("grpc-status", "14"),
                          ("grpc-message", "disk full")], end=True)],
                "grpc-status 14 (UNAVAILABLE): disk full"),
    "nothing": ([HEAD, DONE], "grpc-status 0, but no message"),
    "short": ([HEAD, data(b"\0\0\0"), DONE],
              "a message begins with 5 bytes; 3 came"),
    "cut": ([HEAD, data(b"\0\0\0\0\2\x08"), DONE],
            "the message is cut off: 1 of its 2 bytes"),
    "long": ([HEAD, data(SERVING_ANSWER + b"\0"), DONE],
             "1 bytes behind the message of 2 bytes"),
    "much": ([HEAD, data(bytes(10000)), DONE],
             "the answer is longer than 256 bytes; one of "
             "grpc.health.v1.Health has 7"),
    "packed": ([HEAD, data(b"\1" + SERVING_ANSWER[1:]), DONE],
               "the message is compressed, which was not asked for"),
    "unknown": ([HEAD, data(b"\0\0\0\0\2\x08\3"), DONE],
                "SERVICE_UNKNOWN: the server says nothing of itself as a "
                'whole; name one of its services in "service"'),
    "foreign": ([HEAD, data(b"\0\0\0\0\2\x0b\1"), DONE],
                "the message is no answer of grpc.health.v1.Health"),
    "wordy": ([headers([(":status", "200"),
                        ("content-type", "application/grpc"),
                        *((f"x-{i}", "x" * 1000) for i in range(9))]),
               data(SERVING_ANSWER),
               headers([("grpc-status", "0"),
                        *((f"y-{i}", "y" * 1000) for i in range(9))],
                       end=True)],
              "more than 16384 bytes of headers and trailers"),
    "reset": ([HEAD, frame(RST_STREAM, 0, 1, (2).to_bytes(4, "big"))],
              "the server ended the request before it had answered"),
}


def test_a_wrong_answer_is_told_with_its_cause(sandbox, healthy, path):
    nerve = check(sandbox, healthy, path, {
        name: (Http2(sandbox, frames), GRPC)
        for name, (frames, _) in ANSWERS.items()})
    for name, (_, wanted) in ANSWERS.items():
        said = verdict(nerve, name)
        assert said in (wanted, f"down (grpc: {wanted})"), name


def test_what_does_not_speak_http2_is_named(sandbox, healthy, path):
    ended = "the server ended the request before it had answered"
    other = "no answer in HTTP/2, which gRPC needs"
    # Of a connection that stays open, libcurl 8.14 does not say it.
    late = f"({other}|no answer within 5000 ms)"
    cases = {
        "http1": (Scripted(sandbox, [answer(b"no", 400)], close=False,
                           end=b""), late),
        "closed": (Scripted(sandbox, [answer(b"no", 400)], end=b""), other),
        "greeting": (Scripted(sandbox, [b"220 mail ready\r\n" * 4],
                              close=False, end=b""), late),
        "gone": (Http2(sandbox, [HEAD], close=True), ended),
        "mute": (Scripted(sandbox, [], close=False, end=b""),
                 "no answer within 700 ms")}
    nerve = check(sandbox, healthy, path, {
        name: (server, {**GRPC, **({"timeout": 0.7} if name == "mute"
                                   else {})})
        for name, (server, _) in cases.items()})
    for name, (_, wanted) in cases.items():
        assert re.fullmatch(rf"down \(grpc: {wanted}\)",
                            verdict(nerve, name)), name


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_the_host_may_be_a_name_or_an_ipv6_address(
        sandbox, healthy, path, host):
    server = GrpcService(sandbox, "shop", {"": SERVING},
                         host="::1" if host == "::1" else "127.0.0.1")
    server.host = host
    nerve = check(sandbox, healthy, path, {"shop": (server, GRPC)})
    assert verdict(nerve, "shop") == "up"
