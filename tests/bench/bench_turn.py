"""turn: the longest time for which the agent blocked one of HAProxy's threads.

The metric `synapse_turn_seconds` shows it: the upper bound of the last bucket
that is not empty. follow.c sends the same commands to a HAProxy without the
agent. The floor is how long that HAProxy took to answer the longest line; if
there were no commands, there is no floor.

`start` is the start with 1,000 services of 10 instances. Then one service gets
5,000 instances, 100 instances per second move while the page is open,
ZooKeeper is restarted, and all of the 1,000 services lose all instances at
once, without retaining any.
"""

import http.client
import math
import re
import time

import address
import wait
from figures import Figure
from fleet import Fleet, state
from follow import Follow

DEADLINE = 110
SERVICES, INSTANCES = 1000, 10
FULL = 5000    # instances of the service that is filled
RATE = 100     # changes a second
CHANGES = 300
SEEN = 30      # services on the screen
AIM = 5        # ms
AT_ONCE = 100  # services that are looked at in one question
PATIENCE = 120

BUCKET = re.compile(r'^synapse_turn_seconds_bucket\{le="(\S+)"\} (\d+)$', re.M)


def run(sandbox):
    zookeeper = sandbox.zookeeper()
    client = zookeeper.client()
    many = Fleet(client, "/bench/turn/many",
                 {f"s{n:04}": INSTANCES for n in range(SERVICES)})
    full = Fleet(client, "/bench/turn/full", {"full": 0})
    agent = Agent(sandbox, zookeeper, many, full)
    floor = _floor(sandbox, zookeeper, many, full)
    _settle([agent.proxy, floor.proxy], many)
    yield _figure("start", agent, floor)

    for _ in range(FULL):
        full.add("full")
    full.commit()
    _settle([agent.proxy, floor.proxy], full)
    yield _figure(f"fill_{FULL}", agent, floor)

    with_page = agent.open_page()
    _move(many)
    _settle([agent.proxy, floor.proxy], many)
    assert with_page.alive(), "nobody looked"
    with_page.kill()
    yield _figure(f"page_{RATE}", agent, floor)

    sessions = len(agent.sessions())
    zookeeper.stop()
    zookeeper.start()
    wait.until(lambda: len(agent.sessions()) > sessions, PATIENCE,
               "the agent is connected again")
    many.move("s0000")
    many.commit()
    _settle([agent.proxy, floor.proxy], many)
    yield _figure("reconnect", agent, floor)

    for name, instances in many.services.items():
        for _ in range(len(instances)):
            many.drop(name)
    many.commit()
    _settle([agent.proxy, floor.proxy], many)
    yield _figure("removal", agent, floor)


class Agent:
    """A HAProxy with the agent, and what its metrics say."""

    def __init__(self, sandbox, zookeeper, many, full):
        self._sandbox = sandbox
        self.proxy = sandbox.haproxy(
            _backends(many, full, zookeeper.addresses), name="agent",
            status=True, snapshot=False)
        self._before = {}

    def longest(self):
        """Milliseconds of the longest turn since this was asked last."""
        buckets, below = {}, 0
        for bound, count in BUCKET.findall(self._fetch("/metrics")):
            buckets[float(bound)] = int(count) - below
            below = int(count)
        longest = max((bound for bound, count in buckets.items()
                       if count > self._before.get(bound, 0)), default=0)
        self._before = buckets
        assert longest < math.inf, "a turn longer than the last bucket"
        return 1000 * longest

    def sessions(self):
        return self.proxy.process.lines("^synapse: session with .* connected")

    def open_page(self):
        """Somebody who looks at the page, once a second."""
        seen = "&".join(f"service=s{n:04}" for n in range(SEEN))
        url = (f"http://{address.HOST}:{self.proxy.status_port}/status.json"
               f"?counters=1&instances=0&{seen}")
        return self._sandbox.run("eyes", [
            "sh", "-c",
            f"while curl -sf -o /dev/null '{url}'; do sleep 1; done"])

    def _fetch(self, path):
        connection = http.client.HTTPConnection(
            address.HOST, self.proxy.status_port, timeout=PATIENCE)
        connection.request("GET", path)
        body = connection.getresponse().read().decode()
        connection.close()
        return body


def _backends(many, full, hosts):
    backends = [backend for fleet in (many, full)
                for backend in fleet.backends(
                    hosts, guard={"hold": 0}, use_previous_backends=False)]
    backends[-1].slots += FULL
    return backends


def _floor(sandbox, zookeeper, many, full):
    proxy = sandbox.haproxy(_backends(many, full, []), name="plain",
                            agent=False)
    return Follow(sandbox, zookeeper.hosts, proxy, {
        name: f"{fleet.path}/{name}" for fleet in (many, full)
        for name in fleet.services})


def _move(fleet):
    names = list(fleet.services)
    start = time.monotonic()
    for number in range(CHANGES):
        time.sleep(max(0, start + number / RATE - time.monotonic()))
        fleet.move(names[number % len(names)])
        fleet.commit()


def _settle(proxies, fleet):
    """Waits until all that is in ZooKeeper is in place."""
    wanted = fleet.state()
    names = list(wanted)
    for proxy in proxies:
        for first in range(0, len(names), AT_ONCE):
            some = {name: wanted[name] for name in names[first:first + AT_ONCE]}
            wait.until(lambda proxy=proxy, some=some:
                       state(proxy, some) == some, PATIENCE, "all is in place")


def _figure(metric, agent, floor):
    longest, commands, _, _ = floor.tally()
    return Figure("turn", metric, agent.longest(), "ms",
                  longest / 1000 if commands else None, most=AIM)
