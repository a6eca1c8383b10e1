"""nerve's checks lack something that they need: descriptors, or a name
server."""

import re
import socket

import program
import wait
from address import HOST
from metrics import Pages
from nerve import http_check, watched
from test_nerve_names import with_its_own
from zookeeper import registrations

SERVICES = 60
DESCRIPTORS = 40


def not_tried(pages):
    """Returns how many checks were not tried, of all services."""
    return sum(int(float(value)) for value in re.findall(
        r'^nerve_checks_total\{[^}]*result="not_tried"[^}]*\} (\S+)$',
        pages.text(), re.M))


def test_a_nerve_without_descriptors_deregisters_nothing(
        sandbox, healthy, witness, path):
    """nerve took its own lack of descriptors for a failure of the instance: a
    leak, or a limit that was too low, deregistered every service of a machine.
    Here 60 services answer so slowly that their checks need more descriptors
    than nerve may have."""
    server = sandbox.service("web")
    pages = Pages()
    services = {
        f"web{number}": watched(
            server, healthy, f"{path}/{number}",
            checks=[http_check(uri="/health", timeout=1, fall=1)])
        for number in range(SERVICES)}
    nerve = sandbox.nerve("one", services, start=False,
                          metrics_listen=pages.listen)
    nerve.process = sandbox.run("nerve-one", [
        "prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", program.NERVE,
        "-c", nerve.file])
    before = wait.until(
        lambda: all_registered(witness, path), 60, "all are registered")
    tried = not_tried(pages)
    server.set_health("slow")
    wait.until(lambda: not_tried(pages) >= tried + 5 * SERVICES, 60,
               "checks are not tried")
    assert all_registered(witness, path) == before
    server.set_health("up")
    assert not nerve.process.lines("up -> down")
    line = nerve.process.says("not tried")
    assert "Too many open files" in line
    assert len(nerve.process.lines("not tried")) <= 3


def all_registered(witness, path):
    """Returns the znodes of all services, or None if any service has none."""
    znodes = [registrations(witness, f"{path}/{number}")
              for number in range(SERVICES)]
    return znodes if all(znodes) else None


def test_a_name_server_that_answers_nothing_says_nothing_of_an_instance(
        sandbox, healthy, path):
    """nerve took it for a failure of the instance: when a machine's name
    server failed, every service that is checked by name went down."""
    server = sandbox.service("web")
    _, binary = with_its_own(sandbox, program.NERVE, "resolv.conf",
                             f"nameserver {HOST}\n")
    nerve = sandbox.nerve("one", {
        "web": watched(server, healthy, path,
                       checks=[http_check(host="web.e2e", timeout=0.3)])},
        start=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((HOST, 53))
        nerve.start(binary)
        line = nerve.process.says("not tried")
        assert "no answer of a name server within 300 ms" in line
    assert not nerve.process.lines("unknown -> down")
