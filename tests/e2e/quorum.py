"""An ensemble of three real ZooKeepers, any of which may fail. It may have
observers, which follow it without a vote."""

import os

import address
import wait
from zookeeper import JARS, MACHINE, Clients, ZooKeeper

MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
COUNT = 3

# A program sees the directory $1 as JARS. Jars name others by absolute paths.
ELSEWHERE = ["unshare", "--mount", "sh", "-ec",
             f'mount --bind "$1" {JARS}; shift; exec "$@"', "sh"]


class Member(ZooKeeper):
    """Member `number` of the ensemble."""

    def __init__(self, sandbox, number, lines, host):
        super().__init__(sandbox, f"zookeeper{number}", lines, host)
        self._program = MACHINE + [MAIN]
        self._number = number
        self._name_itself()

    def _name_itself(self):
        data = os.path.join(self.directory, "data")
        os.mkdir(data)
        with open(os.path.join(data, "myid"), "w") as file:
            file.write(f"{self._number}\n")

    def use(self, jars):
        """From its next start on it runs the jars of this directory."""
        self._program = [*ELSEWHERE, jars, *MACHINE, MAIN]

    def wipe(self):
        super().wipe()
        self._name_itself()


class Ensemble(Clients):
    """The whole ensemble, with the methods of one ZooKeeper. `hosts` are the
    members' addresses if they are not the test's own; `more` are lines of
    their configuration. If it has `observers`, the clients know only these."""

    def __init__(self, sandbox, hosts=COUNT * [address.HOST], more=(),
                 observers=0):
        hosts = [*hosts, *observers * [address.HOST]]
        first = len(hosts) - observers
        ports = [f"{host}:{address.port(host)}:{address.port(host)}"
                 for host in hosts]
        ports[first:] = [f"{it}:observer" for it in ports[first:]]
        # cnxTimeout is in milliseconds; a vote whose connection failed is sent
        # again up to a minute later.
        lines = ["initLimit=20", "syncLimit=10", "cnxTimeout=2000", *more, *(
            f"server.{number}={at}" for number, at in enumerate(ports, 1))]
        self.members = [Member(sandbox, number, lines if number <= first else
                               ["peerType=observer", *lines], host)
                        for number, host in enumerate(hosts, 1)]
        self.observers = self.members[first:]
        self.addresses = [it.hosts for it in self.observers or self.members]
        super().__init__(",".join(self.addresses))

    def start(self):
        """Starts those that do not run, and waits until all serve."""
        for member in self.members:
            if not (member.process and member.process.alive()):
                member.begin()
        wait.until(lambda: all(it.mode() for it in self.members), 60,
                   "all of the ensemble serve")

    def leader(self):
        """Returns the leading member, once there is one."""
        return wait.until(
            lambda: next((it for it in self.members
                          if it.mode() == "leader"), None),
            60, "the ensemble has a leader")

    def followers(self):
        leader = self.leader()
        return [it for it in self.members if it is not leader]

    def connections(self):
        """Returns how many clients are connected to all members together."""
        return sum(it.connections() for it in self.members
                   if it.process.alive())
