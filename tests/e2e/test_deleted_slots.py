"""Slots that the agent added at run time are deleted when they are empty, if
this HAProxy deletes servers safely. Otherwise they stay and are used again.

DELETIONS says how many are added and deleted under traffic.
"""

import contextlib
import os
import re
import threading

import wait
from haproxy import Backend, can
from zookeeper import register

DELETIONS = int(os.environ.get("DELETIONS") or 50)
AT_ONCE = min(DELETIONS, 1000)
BATCH = 500          # changes of one transaction
REST = 10            # seconds that a slot is empty before it goes
ABOVE = REST + 2
PAUSE = 0.1          # seconds between two looks at HAProxy's servers
MEMORY = 12          # MB that the worker may grow after its warm-up
DELETES = can("deletes_servers")


def backend(zookeeper, path, **more):
    """One slot is declared; all of its instances may go at once."""
    return Backend(hosts=zookeeper.addresses, path=path, slots=1,
                   service={"guard": {"hold": 0}, "max_instances": 2000},
                   **more)


def names(proxy):
    return sorted(proxy.servers(), key=lambda name: (len(name), name))


def ids(proxy):
    return {name: row["sid"] for name, row in proxy.servers().items()}


def test_an_added_slot_goes_when_the_last_session_has_ended(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([backend(healthy, path)])
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    node = register(witness, path, two.payload("two"))
    proxy.serves([one, two])
    before = ids(proxy)
    with contextlib.ExitStack() as stack:
        while proxy.servers()["s2"]["scur"] == "0":
            more = stack.enter_context(proxy.hold("/slow"))
        witness.delete(node)
        proxy.serves([one])
        wait.always(lambda: more() and names(proxy) == ["s1", "s2"], ABOVE,
                    "the slot has a session")
    if DELETES:
        wait.until(lambda: names(proxy) == ["s1"], 30, "the slot is gone")
        proxy.process.says("web: 1 command acknowledged, 1 slot deleted, 1 of")
    else:
        wait.always(lambda: names(proxy) == ["s1", "s2"], ABOVE, "it stays")
    register(witness, path, two.payload("two"))
    proxy.serves([one, two])
    assert ids(proxy) == before


class Looks:
    """Asks HAProxy for its servers again and again, as monitoring does."""

    def __init__(self, proxy):
        self._proxy = proxy
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self._ending.wait(PAUSE):
            with contextlib.suppress(OSError):
                self._proxy.ask("show servers state;show stat;"
                                "show servers conn")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()


def resident(pid):
    """Its memory, in MB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        words = next(line for line in file if line.startswith("VmRSS")).split()
    return int(words[1]) / 1024


def in_batches(client, changes):
    """Makes changes, functions of a transaction, many at once."""
    for first in range(0, len(changes), BATCH):
        transaction = client.transaction()
        for change in changes[first:first + BATCH]:
            change(transaction)
        results = transaction.commit()
        assert not any(isinstance(it, Exception) for it in results), results


def come(client, path, members):
    in_batches(client, [
        lambda it, one=one: it.create(f"{path}/{one.name}",
                                      one.payload(one.name))
        for one in members])


def leave(client, path, members):
    in_batches(client, [lambda it, one=one: it.delete(f"{path}/{one.name}")
                        for one in members])


def counts(proxy):
    """How many servers HAProxy has, and how many are up. A table of a thousand
    takes this process long to read, so it is not."""
    text = proxy.ask("show stat -1 4 -1")
    return text.count("\nweb,"), text.count(",UP,")


def deleted(proxy):
    """How many slots the agent says that it deleted."""
    lines = "\n".join(proxy.process.lines(r"^synapse: web: .* deleted"))
    return sum(map(int, re.findall(r"(\d+) slots? deleted", lines)))


def test_slots_come_and_go_under_traffic(sandbox, healthy, witness, path):
    steady = sandbox.service("steady")
    crowd = sandbox.crowd("crowd", AT_ONCE)
    proxy = sandbox.haproxy([backend(
        healthy, path, server="check inter 5s rise 1 fall 2")])
    register(witness, path, steady.payload("steady"))
    proxy.serves([steady])
    [worker] = proxy.workers()
    everyone = AT_ONCE + 1
    looks = []
    with sandbox.load(proxy, "slots come and go") as load, Looks(proxy):
        for _ in range(DELETIONS // AT_ONCE):
            come(witness, path, crowd.members)
            wait.until(lambda: counts(proxy) == (everyone, everyone), 60,
                       "all serve")
            sent = load.sent
            wait.until(lambda sent=sent: load.sent > sent + 50, 10, "requests")
            leave(witness, path, crowd.members)
            left = (1, 1) if DELETES else (everyone, 1)
            wait.until(lambda left=left: counts(proxy) == left, 120,
                       "the added slots are empty, or gone")
            looks.append(resident(worker))
    load.assert_none_failed()
    assert proxy.workers() == [worker]
    warm = looks[len(looks) // 4]
    print(f"{DELETIONS} slots: {deleted(proxy)} deleted, "
          f"{warm:.1f} MB -> {looks[-1]:.1f} MB")
    if DELETES:
        wait.until(lambda: deleted(proxy) == len(looks) * AT_ONCE, 10,
                   "the agent has said so")
    assert looks[-1] < warm + MEMORY
