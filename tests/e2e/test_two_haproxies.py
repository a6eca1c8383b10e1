"""Two HAProxies with the same state_file_path.

Each overwrote the other's snapshot: an operator's maint was lost at a reload,
or one HAProxy used the other's instances. Nothing reported it.
"""

import contextlib
import os
import re
import signal

import pytest

import wait
from haproxy import web
from status import Status
from zookeeper import register

HELD = (r"the HAProxy with process id (\d+) and \S*/first/haproxy.cfg has "
        r"\S*/first/state/synapse.json")
TAKEN_OVER = "no other HAProxy has it any more"
# Seconds without an owner after which another HAProxy takes the lock.
FREE_FOR = 10


class Pair:
    """`first` has the state file, and `second` is configured with the same.
    They have different services."""

    def __init__(self, sandbox, zookeeper, witness, path):
        self.services = [sandbox.service(name) for name in ("one", "two")]
        self.proxies = []
        for name, service in zip(("first", "second"), self.services):
            register(witness, f"{path}/{name}", service.payload(service.name))
            proxy = sandbox.haproxy([web(zookeeper, f"{path}/{name}")],
                                    name=name, start=False, status=True)
            proxy.snapshot = (self.proxies or [proxy])[0].snapshot
            proxy.configure()
            self.proxies.append(proxy)
        self.first, self.second = self.proxies

    def start(self):
        self.first.start()
        self.first.serves(self.services[:1])
        self.first.remembers(self.services[:1])
        self.second.start()
        self.second.serves(self.services[1:])

    def maint(self, number):
        """An operator takes out a HAProxy's only server."""
        proxy = self.proxies[number]
        [slot] = proxy.slots().values()
        proxy.ask(f"set server web/{slot} state maint")
        proxy.process.says("ready -> maint by an operator", 20)


@pytest.fixture
def pair(sandbox, healthy, witness, path):
    made = Pair(sandbox, healthy, witness, path)
    made.start()
    return made


def content(proxy):
    with open(proxy.snapshot) as file:
        return file.read()


def is_of_first(pair):
    """Tells whether the snapshot has the first's instance as it is, and
    nothing of the second's."""
    first, second = (f'"port":{it.port}' for it in pair.services)
    text = content(pair.first)
    return first in text and second not in text and "maint" not in text


def says(proxy, line):
    return [text for text in proxy.process.text().splitlines()
            if re.search(line, text)]


def troubles(proxy):
    return Status(proxy).json("/status.json")["troubles"]


def is_locked_by_another(proxy):
    _, text = Status(proxy).ask("/metrics")
    return int(re.search(r"^synapse_snapshot_locked_by_another (\d)$", text,
                         re.M)[1])


def test_the_second_says_who_has_it_and_writes_nothing(pair):
    first, second = pair.proxies
    [line] = says(second, HELD)
    assert int(re.search(HELD, line)[1]) in first.workers()
    pair.maint(1)
    # The first may write it again: it adds since when its instance serves.
    wait.always(lambda: is_of_first(pair), 2, "nobody overwrites it")
    [trouble] = troubles(second)
    assert re.search("process id .* has this HAProxy's state_file_path",
                     trouble)
    assert trouble in second.ask("show synapse")
    assert is_locked_by_another(second) == 1
    assert "synapse_snapshot_age_seconds" not in Status(second).ask(
        "/metrics")[1]
    assert not says(first, "has .*synapse.json") and not troubles(first)
    assert is_locked_by_another(first) == 0


def test_each_reload_of_the_first_keeps_what_an_operator_did(pair):
    pair.maint(0)
    for _ in range(3):
        pair.first.reload()
        wait.always(lambda: pair.first.serving() == [], 1, "it is in maint")
    assert not says(pair.first, "has .*synapse.json")
    pair.second.reload()
    pair.second.serves(pair.services[1:])
    lines = wait.until(lambda: len(says(pair.second, HELD)) == 2 and
                       says(pair.second, HELD), 10, "the second says it again")
    assert int(re.search(HELD, lines[1])[1]) in pair.first.workers()
    assert troubles(pair.second) and not troubles(pair.first)


def test_a_check_of_the_configuration_neither_takes_the_lock_nor_minds_it(
        pair):
    for proxy in pair.proxies:
        status, text = proxy.check()
        assert status == 0 and "state_file_path" not in text, text
    pair.first.reload()
    pair.first.serves(pair.services[:1])
    assert not says(pair.first, "has .*synapse.json")


def test_the_second_takes_over_when_the_first_is_killed(pair):
    first, second = pair.proxies
    for pid in [first.process.pid, *first.workers()]:
        with contextlib.suppress(ProcessLookupError):  # a worker ends by itself
            os.kill(pid, signal.SIGKILL)
    wait.until(lambda: not first.process.group(), 10, "the first is gone")
    second.process.says(TAKEN_OVER, FREE_FOR + 10)
    second.remembers(pair.services[1:])
    assert not troubles(second) and is_locked_by_another(second) == 0
    first.begin()
    wait.until(lambda: says(first, "and \\S*/second/haproxy.cfg has "), 20,
               "the first says that the second has it")
    second.reload()
    second.serves(pair.services[1:])
    assert len(says(second, HELD)) == 1


def test_the_first_has_it_again_when_it_is_started_at_once(pair):
    pair.maint(0)
    wait.until(lambda: '"maint"' in content(pair.first), 10,
               "the snapshot has it")
    pair.first.stop()
    pair.first.start()
    wait.always(lambda: pair.first.serving() == [], 2, "it is in maint")
    assert not says(pair.first, "has .*synapse.json")
    assert not says(pair.second, TAKEN_OVER)
    assert troubles(pair.second)


def test_without_a_master_the_process_that_replaces_it_has_it_too(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    register(witness, path, one.payload("one"))
    proxy = sandbox.haproxy([web(healthy, path)], name="first", start=False)
    run = ["haproxy", "-db", "-f", proxy.file]
    proxy.process = sandbox.run("first", run)
    wait.until(proxy.accepts, 20, "it accepts connections")
    proxy.serves([one])
    proxy.remembers([one])
    old = proxy.process
    proxy.process = sandbox.run("next", [*run, "-sf", str(old.pid)])
    assert old.ended(20) == 0
    proxy.serves([one])
    written = os.stat(proxy.snapshot).st_mtime_ns
    [slot] = proxy.slots().values()
    proxy.ask(f"set server web/{slot} state maint")
    proxy.process.says("ready -> maint by an operator", 20)
    wait.until(lambda: os.stat(proxy.snapshot).st_mtime_ns > written, 10,
               "it writes the snapshot")
    assert not says(proxy, "has .*synapse.json")
