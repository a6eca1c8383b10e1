"""Random faults in everything, under load; in the end everything is right
again.

CHAOS_SECONDS says for how long, SEED which faults.
"""

import json
import os
import random
import re

import address
import chaos
import wait
from haproxy import CHECKED, SLOT, web
from nerve import watched
from network import Network
from zookeeper import registrations

SECONDS = float(os.environ.get("CHAOS_SECONDS") or 30)
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
SESSION_TIMEOUT = 4
SERVICES = 5
# How many things may be broken at once: the others carry the traffic.
LIMITS = {"service": 2}
# Three are in the preferred zone. While one of them is broken, the others
# help, so instances change their roles all the time.
ZONES = "aaabb"
PREFER = {"label": "zone", "value": "a", "least": 3}
# The time after the last fault in which everything must be right.
PATIENCE = 5 + SESSION_TIMEOUT
# Services beside web, all of the same instances: the first is always there.
# Blank backends serve them.
BESIDE = ("lasting", "guest1", "guest2")
# The path of each request, and the instance that got it.
LOG = ["no option dontlog-normal", 'log-format "%HU with %si:%sp"']


class Files:
    """The files of the services beside web, as people rename them there while
    HAProxy runs."""

    def __init__(self, ensemble, path, above):
        # HAProxy's user finds it in the directory `above`, open since the load.
        self.directory = os.path.join(above, "services.d")
        self.ports = address.ports(len(BESIDE))
        self._discovery = {"method": "zookeeper", "hosts": ensemble.addresses,
                           "path": path}
        os.makedirs(self.directory)
        self.put(0)

    def section(self):
        """Returns the blank backends as synapse-haproxy-cfg writes them."""
        lines = ["frontend spare-beside", *(
            f"  bind {address.HOST}:{port} name {address.HOST}:{port}"
            for port in self.ports),
            '  http-request return status 404 unless { so_name,'
            'map("${SYNAPSE_ROUTES-/dev/null}") -m found }',
            '  use_backend "%[so_name,map(${SYNAPSE_ROUTES-/dev/null})]"']
        for number in range(1, len(BESIDE) + 1):
            lines += [
                f"backend spare-beside-{number}",
                "  load-server-state-from-file global",
                f"  server-template s 1-{2 * SERVICES} {SLOT} {CHECKED} "
                "disabled"]
        return lines

    def spare(self):
        """Returns the kind of blank backends for synapse.conf.json."""
        return {"beside": {"backends": len(BESIDE), "slots": 2 * SERVICES,
                           "ports": address.span(self.ports),
                           "server_options": CHECKED}}

    def put(self, which, **keys):
        self._write(f"{BESIDE[which]}.json", json.dumps({
            "discovery": self._discovery, **keys,
            "haproxy": {"port": self.ports[which], "slots": 2 * SERVICES,
                        "server_options": CHECKED}}))

    def remove(self, which):
        os.unlink(os.path.join(self.directory, f"{BESIDE[which]}.json"))

    def spoil(self):
        self._write("wrong.json", "{")

    def mend(self):
        os.unlink(os.path.join(self.directory, "wrong.json"))

    def _write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)


class Stack:
    """Three ZooKeepers, services with a nerve each, and HAProxy; each can be
    cut off from the others."""

    def __init__(self, sandbox, network, path):
        self.network = network
        self.path = path
        self.ensemble = sandbox.ensemble(
            hosts=[f"127.77.0.{n}" for n in (1, 2, 3)])
        self.client = self.ensemble.client()
        self.services = [sandbox.service(f"s{n}", host=f"127.77.1.{n}")
                         for n in range(1, SERVICES + 1)]
        self.nerves = [sandbox.nerve(
            it.name, {"web": watched(it, self.ensemble, path,
                                     labels={"zone": zone})},
            session_timeout=SESSION_TIMEOUT)
            for it, zone in zip(self.services, ZONES)]
        self.files = Files(self.ensemble, path, sandbox.path("files"))
        self.proxy = sandbox.haproxy(
            [web(self.ensemble, path, front=LOG, slots=2 * SERVICES,
                 lines=["timeout check 1s", "option allbackups",
                        f"server-template b 1-{SERVICES} {SLOT} {CHECKED} "
                        "backup disabled"],
                 service={"prefer": PREFER})],
            synapse={"session_timeout": SESSION_TIMEOUT,
                     "service_conf_dir": self.files.directory},
            haproxy={"bind_address": address.HOST,
                     "spare": self.files.spare()},
            after=self.files.section())
        self.proxy.serves(self.services)
        self.proxy.remembers(self.services)
        self.files.put(1)
        self.serves_beside([200, 200, 404])
        self.files.remove(1)
        self.serves_beside([200, 404, 404])
        self.touched = set()  # the addresses of services that were broken

    def touch(self, who):
        self.touched.add(self.services[who].address)

    def actions(self):
        """Returns for each kind of fault what breaks a thing and what mends
        it."""
        members, nerves = self.ensemble.members, self.nerves
        services, network = self.services, self.network
        files = self.files
        return {
            "zookeeper killed": (lambda n: self._running(n).stop(),
                                 lambda n: members[n].begin()),
            "zookeeper frozen": (lambda n: self._running(n).freeze(),
                                 lambda n: members[n].thaw()),
            "zookeeper cut": (lambda n: network.cut(members[n].host),
                              lambda n: network.mend(members[n].host)),
            "nerve killed": (lambda n: nerves[n].process.kill(),
                             lambda n: nerves[n].start()),
            "nerve frozen": (lambda n: nerves[n].process.freeze(),
                             lambda n: nerves[n].process.thaw()),
            "service killed": (self._breaks(lambda it: it.process.kill()),
                               lambda n: services[n].begin()),
            "service frozen": (self._breaks(lambda it: it.process.freeze()),
                               lambda n: services[n].process.thaw()),
            "service cut": (self._breaks(lambda it: network.cut(it.host)),
                            lambda n: network.mend(services[n].host)),
            "haproxy reloaded": (lambda n: self.proxy.reload(),
                                 lambda n: None),
            # HAProxy would not start with it.
            "haproxy given a wrong file": (lambda n: files.spoil(),
                                           lambda n: files.mend()),
            "guest comes": (lambda n: files.put(n + 1),
                            lambda n: files.remove(n + 1)),
            "lasting changes": (lambda n: files.put(0, max_instances=2),
                                lambda n: files.put(0)),
        }

    def _running(self, who):
        """Starts a ZooKeeper again if it has ended by itself: it does so if
        its own address is cut off while it starts."""
        member = self.ensemble.members[who]
        if not member.process.alive():
            member.begin()
        return member

    def _breaks(self, action):
        def do(who):
            self.touch(who)
            action(self.services[who])
        return do

    def counts(self):
        sizes = {"zookeeper": len(self.ensemble.members),
                 "nerve": SERVICES, "service": SERVICES, "haproxy": 1,
                 "guest": len(BESIDE) - 1, "lasting": 1}
        return {kind: sizes[kind.split()[0]] for kind in self.actions()}

    def payloads(self):
        return sorted(it.payload(it.name, labels={"zone": zone})
                      for it, zone in zip(self.services, ZONES))

    def roles(self):
        """Returns for each server that gets traffic its zone, and whether it
        is a backup."""
        zones = {it.address: zone for it, zone in zip(self.services, ZONES)}
        return sorted((zones[row["addr"]], row["bck"] == "1")
                      for row in self.proxy.servers().values()
                      if row["status"].startswith("UP"))

    def serves_beside(self, statuses):
        """Waits until the services beside web answer so."""
        wait.until(lambda: [self.proxy.get(port=port)[0]
                            for port in self.files.ports] == statuses,
                   PATIENCE, f"{', '.join(BESIDE)} answer {statuses}")

    def instances(self):
        """Returns the instance of every request by its number, from HAProxy's
        log."""
        return {int(number): instance for number, instance in re.findall(
            r"/(\d+) with (\S+)$", self.proxy.process.text(), re.M)}


def assert_no_other_failed(stack, load):
    """Asserts that every failed request was sent to a broken instance."""
    instances = stack.instances()
    unexplained = {
        number: (outcome, instances.get(number))
        for number, outcome in load.failures.items()
        if instances.get(number) not in stack.touched}
    print(f"{load.failed} of {load.sent} requests failed, "
          f"{len(unexplained)} of them not on a broken instance")
    assert not unexplained, unexplained


def test_after_any_faults_all_is_as_it_should_be(sandbox, path):
    with Network() as network:
        stack = Stack(sandbox, network, path)
        faults = chaos.plan(SEED, SECONDS, stack.counts(), LIMITS)
        print(f"SEED={SEED}, {len(faults)} faults")
        with sandbox.load(stack.proxy, f"chaos {SEED}") as load:
            chaos.run(faults, stack.actions())
            stack.ensemble.start()
            taken = wait.elapsed(lambda: wait.until(
                lambda: registrations(stack.client, path) ==
                stack.payloads(), PATIENCE, "all are registered, once"))
            stack.proxy.serves(stack.services, seconds=PATIENCE)
            wait.until(lambda: stack.roles() == [("a", False)] * 3 +
                       [("b", True)] * 2, PATIENCE, "one zone serves")
            stack.serves_beside([200, 404, 404])
            print(f"all registered once {taken:.1f} s after the last fault")
        assert_no_other_failed(stack, load)
        assert load.rate() > 50, str(load)
