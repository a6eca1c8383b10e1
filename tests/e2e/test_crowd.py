"""A path with a hundred thousand children costs only the service of that path.

Run as a program, test_crowd.py HOSTS PATH makes the children. This is a
process of its own, so that the requests that are counted meanwhile are sent in
time.
"""

import sys
import time

from kazoo.client import KazooClient

import wait
from haproxy import web
from zookeeper import register

CHILDREN = 100_000
BATCH = 2000
# How much more memory the worker may need than before, in MB.
MEMORY = 100


def fill(client, path):
    """Creates the children as fast as transactions allow."""
    for start in range(0, CHILDREN, BATCH):
        transaction = client.transaction()
        for number in range(start, start + BATCH):
            transaction.create(f"{path}/i_{number:010}", b"rubbish")
        transaction.commit()


def resident(pid):
    """Returns a process's memory, in MB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        words = next(line for line in file if line.startswith("VmRSS")).split()
    return int(words[1]) // 1024


def test_a_hundred_thousand_children_hurt_no_other_service(sandbox, path):
    server = sandbox.zookeeper()
    client = server.client()
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(server, path),
                             web(server, f"{path}/crowd", name="crowd")])
    [worker] = proxy.workers()
    register(client, path, one.payload("one"))
    client.ensure_path(f"{path}/crowd")
    proxy.serves([one])
    before = resident(worker)
    with sandbox.load(proxy, "a hundred thousand children") as load:
        sandbox.run("filler", [sys.executable, __file__, server.hosts,
                               f"{path}/crowd"])
        wait.until(lambda: client.exists(f"{path}/crowd").children_count ==
                   CHILDREN, 120, "the children are there")
        start = time.monotonic()
        node = register(client, path, two.payload("two"))
        proxy.serves([one, two])
        client.delete(node)
        proxy.serves([one])
        print(f"converged twice in {time.monotonic() - start:.2f} s, "
              f"{resident(worker) - before} MB more")
    load.assert_none_failed()
    assert not proxy.process.lines("event loop blocked")
    assert proxy.process.lines("crowd: has [0-9]+ znodes, and max_instances "
                               "allows 1000")
    wait.until(lambda: resident(worker) < before + MEMORY, 10,
               "its memory is bounded")


if __name__ == "__main__":
    maker = KazooClient(sys.argv[1])
    maker.start()
    fill(maker, sys.argv[2])
    maker.stop()
