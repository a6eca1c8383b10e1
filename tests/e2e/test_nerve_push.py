"""nerve's push checks: a service that reports by itself, or is silent."""

import json
import os
import shutil
import signal
import socket
import time

import pytest

import program
import wait
from ctl import ask, controlled, done, status
from metrics import Pages
from nerve import watched
from zookeeper import births, registrations

TTL = 2 * wait.FACTOR
LONG = 600  # longer than any test


def push(ttl):
    return {"type": "push", "ttl": ttl}


@pytest.fixture
def reporting(sandbox, healthy, path):
    """Starts a nerve with the service web, which has these checks."""
    service = sandbox.service("one")

    def start(*checks, binary=program.NERVE, interval=0.1, **more):
        nerve = sandbox.nerve(
            "one", {"web": watched(service, healthy, path, checks=checks,
                                   check_interval=interval)},
            start=False, **controlled(sandbox, "one"), **more)
        nerve.start(binary)
        nerve.process.says("web: instance .* unknown -> ")
        return nerve
    return start


def registered(client, path):
    wait.until(lambda: registrations(client, path), 10, "it is registered")


def removed(client, path):
    wait.until(lambda: not registrations(client, path), 10, "it is removed")


def ago(since):
    return time.monotonic() - since


def test_it_is_down_before_its_first_report_and_after_its_silence(
        reporting, witness, path):
    nerve = reporting(push(TTL))
    nerve.process.says(r"unknown -> down \(push: no report yet\)")
    assert "  has not reported yet\n" in done(nerve, "status")
    began = time.monotonic()
    text = done(nerve, "pass", "web")
    assert text.startswith("web: passed; the next report is due within ")
    registered(witness, path)
    assert "the next report is due within" in done(nerve, "status")
    removed(witness, path)
    assert ago(began) >= TTL
    nerve.process.says(
        rf"web: instance .* up -> down after 1 failure "
        rf"\(push: no report within {round(TTL * 1000)} ms\)")


def test_it_stays_up_while_it_reports(reporting, witness, path):
    nerve = reporting(push(TTL))
    began = time.monotonic()
    while ago(began) < 3 * TTL:
        done(nerve, "pass", "web")
        wait.until(lambda: registrations(witness, path), 10, "it is there")
        time.sleep(0.05)
    assert len(births(witness, path)) == 1
    assert not nerve.process.lines("up -> down")


def test_only_the_first_report_between_two_passes_starts_one(
        reporting, witness, path):
    # The second pass comes a second after the first, and the next one only
    # minutes later.
    pages = Pages()
    nerve = reporting(push(LONG), interval=LONG, metrics_listen=pages.listen)
    wait.until(lambda: 'result="failed"} 2\n' in pages.text(), 10,
               "the second pass is over")
    done(nerve, "pass", "web")
    registered(witness, path)
    done(nerve, "fail", "web", "--reason", "lost its disk")
    report = status(nerve)["report"]
    assert report.pop("silent_ms") < LONG * 1000
    assert report == {"passed": False, "ttl_ms": LONG * 1000,
                      "reason": "lost its disk"}
    assert not nerve.process.lines("up -> down")


def test_the_log_has_the_reason_of_a_failure(reporting, witness, path):
    nerve = reporting(push(LONG))
    done(nerve, "pass", "web")
    registered(witness, path)
    done(nerve, "fail", "web", "--reason", "lost its disk")
    removed(witness, path)
    nerve.process.says(
        r"up -> down after 1 failure \(push: it says that it fails: "
        r"lost its disk\)")
    text = done(nerve, "status")
    assert "  reported as failed" in text and "lost its disk" in text
    done(nerve, "pass", "web")
    registered(witness, path)


def test_a_line_to_the_socket_is_a_report(reporting, witness, path):
    nerve = reporting(push(LONG))
    with open(nerve.file) as file:
        place = json.load(file)["control_socket"]
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10 * wait.FACTOR)
        line.connect(place)
        line.sendall(b'{"command": "pass", "service": "web"}\n')
        answer = json.loads(line.makefile().read())
    assert answer == {"result": "done", "message":
                      "web: passed; the next report is due within 10m"}
    registered(witness, path)


def test_a_report_that_no_check_takes_is_refused(reporting):
    nerve = reporting({"type": "noop"})
    assert ask(nerve, "pass", "web") == (
        1, "nerve ctl: web: it has no push check; add {\"type\": \"push\", "
           "\"ttl\": 30} to its checks\n")
    assert ask(nerve, "pass", "wbe") == (
        1, 'nerve ctl: wbe: no such service; did you mean "web"?\n')
    code, text = ask(nerve, "fail")
    assert code == 2 and text.startswith("nerve ctl: SERVICE is missing")
    code, text = ask(nerve, "pass", "web", "--reason", "none")
    assert code == 2 and "--reason is not an option of this command" in text


def test_a_reload_with_other_checks_is_no_silence(reporting, witness, path):
    nerve = reporting(push(LONG))
    done(nerve, "pass", "web")
    registered(witness, path)
    born = births(witness, path)
    with open(nerve.file) as file:
        config = json.load(file)
    config["services"]["web"]["checks"].append({"type": "noop"})
    nerve.write(json.dumps(config))
    nerve.reload()
    # The first result of the new checks decides.
    wait.until(lambda: status(nerve)["state"] == "up", 10, "it is up again")
    assert not nerve.process.lines("up -> down")
    assert births(witness, path) == born
    assert status(nerve)["report"]["passed"] is True


def test_an_upgrade_hands_over_the_rest_of_the_ttl(
        sandbox, reporting, witness, path):
    nerve = reporting(push(3 * TTL),
                      binary=shutil.copy(program.NERVE,
                                         sandbox.path("nerve")))
    done(nerve, "pass", "web")
    began = time.monotonic()
    registered(witness, path)
    born = births(witness, path)
    wait.until(lambda: ago(began) > TTL, 2 * TTL, "a third of it is over")
    nerve.process.send(signal.SIGUSR2)
    nerve.process.says("info nerve .* goes on as")
    answered = time.monotonic()
    wait.until(lambda: ask(nerve, "status")[0] == 0, 10, "it can be asked")
    report = status(nerve)["report"]
    assert report["passed"] is True
    # The silence before the upgrade counts after it too.
    assert report["silent_ms"] >= TTL * 1000 - 500
    assert births(witness, path) == born
    removed(witness, path)
    assert ago(answered) < 3 * TTL + 10


def test_a_nerve_that_was_stopped_blames_no_service(
        reporting, witness, path):
    # Its session outlives the stop.
    nerve = reporting(push(TTL), session_timeout=60)
    done(nerve, "pass", "web")
    registered(witness, path)
    nerve.process.freeze()
    stopped = time.monotonic()
    wait.until(lambda: ago(stopped) > 1.5 * TTL, 3 * TTL, "it was stopped")
    os.kill(nerve.process.pid, signal.SIGCONT)
    report = status(nerve)["report"]
    assert report["silent_ms"] <= TTL * 1000, report
    done(nerve, "pass", "web")
    assert not nerve.process.lines("up -> down")
    assert len(births(witness, path)) == 1


def test_reports_are_counted(reporting):
    pages = Pages()
    nerve = reporting(push(LONG), metrics_listen=pages.listen)
    done(nerve, "pass", "web")
    done(nerve, "pass", "web")
    done(nerve, "fail", "web")
    text = pages.text()
    assert ('nerve_push_reports_total{service="web",result="passed"} 2\n'
            in text)
    assert ('nerve_push_reports_total{service="web",result="failed"} 1\n'
            in text)
