"""Random faults in everything, under load; in the end everything is right
again.

CHAOS_SECONDS says for how long, SEED which faults.
"""

import json
import os
import random
import re
import threading

from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError

import address
import chaos
import wait
from haproxy import CHECKED, SLOT, web
from load import Load
from nerve import watched
from network import Network
from status import Status
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
# The answer of an instance that is cut off may never come: HAProxy logs such a
# request after so many seconds.
LONGEST = 4
# HAProxy drops a line of its log if its other thread is writing one for long.
# So many failed requests may be without a line.
LOST = 3
# The time after the last fault in which everything must be right.
PATIENCE = 5 + SESSION_TIMEOUT
# Services beside web, all of the same instances: the first is always there.
# Blank backends serve them.
BESIDE = ("lasting", "guest1", "guest2")
# The first uses as many of the instances.
SUBSET = {"size": 3, "machine": "one"}
# Services that are found in ZooKeeper, as `always` is: they come and go.
VISITORS = ("visitor1", "visitor2")
BLANKS = len(BESIDE) + len(VISITORS) + 1
ROUTES = "${SYNAPSE_ROUTES-/dev/null}"
CHECK = "option httpchk GET /health"
HOST = "req.hdr(host),host_only,lower"
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
            f'map("{ROUTES}") -m found }}',
            f'  use_backend "%[so_name,map({ROUTES})]"']
        for number in range(1, BLANKS + 1):
            lines += [
                f"backend spare-beside-{number}",
                "  load-server-state-from-file global", "  timeout check 1s",
                "  option httpchk",
                '  http-check send meth GET uri-lf "%[be_name,'
                'map(${SYNAPSE_CHECKS-/dev/null},/health)]"',
                f"  server-template s 1-{2 * SERVICES} {SLOT} {CHECKED} "
                "disabled"]
        return lines

    def spare(self):
        """Returns the kind of blank backends for synapse.conf.json."""
        return {"beside": {"backends": BLANKS, "slots": 2 * SERVICES,
                           "ports": address.span(self.ports),
                           "server_options": CHECKED, "backend": [CHECK]}}

    def put(self, which, **keys):
        self._write(f"{BESIDE[which]}.json", json.dumps({
            "discovery": self._discovery, **keys,
            **({"subset": SUBSET} if which == 0 else {}),
            "haproxy": {"port": self.ports[which], "slots": 2 * SERVICES,
                        "server_options": CHECKED, "listen": [CHECK]}}))

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


class Visitors:
    """Services of one instance each. A thread registers them below `path` and
    removes them, and tries again until ZooKeeper has done it."""

    def __init__(self, sandbox, client, path):
        self.entry = address.port()
        self.services = [sandbox.service(name, health="down")
                         for name in VISITORS]
        self._client, self._path = client, path
        self._wanted = [False] * len(VISITORS)
        self._there = list(self._wanted)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()

    def section(self):
        """Returns the frontend as synapse-haproxy-cfg writes it."""
        return ["frontend discover", f"  bind {address.HOST}:{self.entry}",
                "  no log",
                f'  http-request return status 404 unless {{ {HOST},'
                f'map("{ROUTES}") -m found }}',
                f'  use_backend "%[{HOST},map({ROUTES})]"']

    def discover(self, hosts):
        return {"hosts": hosts, "path": self._path, "spare": "beside",
                "port": self.entry, "allow": ["always", "visitor*"],
                "service": {"guard": {"hold": 0}}}

    def come(self, which):
        self.services[which].set_health("up")
        self._wanted[which] = True

    def go(self, which):
        """A service stays as long as its instance answers."""
        self._wanted[which] = False
        self.services[which].set_health("down")

    def settle(self):
        wait.until(lambda: self._there == self._wanted, 40,
                   "ZooKeeper has the visitors that there are")

    def _follow(self):
        while not self._ending.wait(wait.PAUSE):
            for which, wanted in enumerate(self._wanted):
                if self._there[which] != wanted:
                    self._tell(which, wanted)

    def _tell(self, which, wanted):
        path, service = f"{self._path}/{VISITORS[which]}", self.services[which]
        try:
            if wanted:
                self._client.create(f"{path}/services/one_0000000001",
                                    service.payload(service.name),
                                    makepath=True)
            else:
                self._client.delete(path, recursive=True)
        except (NodeExistsError, NoNodeError):
            pass
        except KazooException as error:
            print(f"{path}: {error!r}")
            return
        self._there[which] = wanted


class Stack:
    """Three ZooKeepers, services with a nerve each, and HAProxy; each can be
    cut off from the others."""

    def __init__(self, sandbox, network, above):
        self.network = network
        self.path = f"{above}/always/services"
        self.ensemble = sandbox.ensemble(
            hosts=[f"127.77.0.{n}" for n in (1, 2, 3)])
        self.client = self.ensemble.client()
        self.services = [sandbox.service(f"s{n}", host=f"127.77.1.{n}")
                         for n in range(1, SERVICES + 1)]
        self.nerves = [sandbox.nerve(
            it.name, {"web": watched(it, self.ensemble, self.path,
                                     labels={"zone": zone})},
            session_timeout=SESSION_TIMEOUT)
            for it, zone in zip(self.services, ZONES)]
        self.files = Files(self.ensemble, self.path, sandbox.path("files"))
        self.visitors = Visitors(sandbox, self.client, above)
        self.proxy = sandbox.haproxy(
            [web(self.ensemble, self.path, front=LOG, slots=2 * SERVICES,
                 lines=["timeout check 1s", f"timeout server {LONGEST}s",
                        "option allbackups",
                        f"server-template b 1-{SERVICES} {SLOT} {CHECKED} "
                        "backup disabled"],
                 service={"prefer": PREFER})],
            synapse={"session_timeout": SESSION_TIMEOUT,
                     "service_conf_dir": self.files.directory,
                     "discover": self.visitors.discover(
                         self.ensemble.addresses)},
            haproxy={"bind_address": address.HOST,
                     "spare": self.files.spare()},
            after=self.files.section() + self.visitors.section(), status=True)
        self.proxy.serves(self.services)
        self.proxy.remembers(self.services)
        self.touched = set()  # the addresses of services that were broken

    def touch(self, who):
        self.touched.add(self.services[who].address)

    def actions(self):
        """Returns for each kind of fault what breaks a thing and what mends
        it."""
        members, nerves = self.ensemble.members, self.nerves
        services, network = self.services, self.network
        files, visitors = self.files, self.visitors
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
            "visitor comes": (visitors.come, visitors.go),
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
                 "guest": len(BESIDE) - 1, "lasting": 1,
                 "visitor": len(VISITORS)}
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

    def comes_and_goes(self):
        """Proves that services come and go while nothing is broken."""
        self.files.put(1)
        self.visitors.come(0)
        self.serves_beside([200, 200, 404])
        self.serves_found({"visitor1": 200, "visitor2": 404})
        self.files.remove(1)
        self.visitors.go(0)

    def is_as_it_was(self):
        """Waits until nothing is served but what has always been there."""
        self.serves_beside([200, 404, 404])
        self.serves_found({"visitor1": 404, "visitor2": 404})
        self.serves_always()

    def serves_found(self, statuses):
        """Waits until the visitors answer so."""
        wait.until(lambda: {name: self.ask(name)[0]
                            for name in statuses} == statuses, PATIENCE,
                   f"the visitors answer {statuses}")

    def ask(self, name):
        return self.proxy.get("/", self.visitors.entry, f"{name}.service")

    def backend_of(self, name):
        [backend] = [it["backend"] for it in json.loads(
            self.proxy.ask("show synapse json"))["services"]
            if it["service"] == name]
        return backend

    def serves_always(self):
        """Waits until the one found service has all instances, the first one
        beside web its subset, and nothing of the others is left."""
        self.proxy.serves(self.services, self.backend_of("always"), PATIENCE)
        wait.until(lambda: len(self.proxy.serving(
            self.backend_of("lasting"))) == SUBSET["size"], PATIENCE,
            "a subset serves")
        assert self.ask("always")[0] == 200
        wait.until(lambda: self._counts() == (1, [], BLANKS - 2), PATIENCE,
                   "one service is found, and two blank backends are used")

    def _counts(self):
        """Returns how many services were found, what is refused of them, and
        how many blank backends are free."""
        status = Status(self.proxy).json("/status.json")
        found, [blanks] = status["discover"], status["spare"]
        return found["services"], found["refused"], blanks["free"]

    def instances(self):
        """Returns the instance of every request by its number, from HAProxy's
        log."""
        return {int(number): instance for number, instance in re.findall(
            r"/(\d+) with (\S+)$", self.proxy.process.text(), re.M)}


def assert_no_other_failed(stack, load):
    """Asserts that every failed request was sent to a broken instance."""
    wait.until(lambda: len(load.failures.keys() - stack.instances().keys()) <=
               LOST, 2 * LONGEST, "HAProxy has logged the failed requests")
    instances = stack.instances()
    unexplained = {
        number: (outcome, instances[number])
        for number, outcome in load.failures.items()
        if number in instances and instances[number] not in stack.touched}
    print(f"{load.failed} of {load.sent} requests failed, "
          f"{len(unexplained)} of them not on a broken instance")
    assert not unexplained, unexplained


def assert_only_it_answered(name, load):
    """Asserts that nobody else answered for a found service."""
    assert set(load.answers) <= {name}, str(load)
    assert set(load.outcomes) <= {"ok", "timeout", "status 404",
                                  "status 503"}, str(load)


def test_after_any_faults_all_is_as_it_should_be(sandbox, path):
    with Network() as network:
        stack = Stack(sandbox, network, path)
        faults = chaos.plan(SEED, SECONDS, stack.counts(), LIMITS)
        print(f"SEED={SEED}, {len(faults)} faults")
        load = sandbox.load(stack.proxy, f"chaos {SEED}")
        asked = Load(address.HOST, stack.visitors.entry, "chaos, for a visitor",
                     f"{VISITORS[0]}.service")
        with stack.visitors:
            stack.comes_and_goes()
            stack.is_as_it_was()
            with load, asked:
                chaos.run(faults, stack.actions())
                stack.ensemble.start()
                taken = wait.elapsed(lambda: wait.until(
                    lambda: registrations(stack.client, stack.path) ==
                    stack.payloads(), PATIENCE, "all are registered, once"))
                stack.visitors.settle()
                stack.proxy.serves(stack.services, seconds=PATIENCE)
                wait.until(lambda: stack.roles() == [("a", False)] * 3 +
                           [("b", True)] * 2, PATIENCE, "one zone serves")
                stack.is_as_it_was()
                print(f"all registered once {taken:.1f} s after the last fault")
        assert_no_other_failed(stack, load)
        assert_only_it_answered(VISITORS[0], asked)
        assert load.rate() > 50, str(load)
