"""Machines with this Debian's HAProxy are upgraded to the other's, or the
reverse, one after the other, and go back. Both generations read one ensemble,
and each starts from the snapshot that the other has written."""

import os
import pwd

import wait
from haproxy import web
from other_debian import OtherDebian


class Machines:
    """Two machines that send requests to the same services."""

    def __init__(self, sandbox, path):
        self._sandbox = sandbox
        self._path = path
        self.server = sandbox.zookeeper()
        self.client = self.server.client()
        self.services = []
        self.proxies = [sandbox.haproxy([web(self.server, path)], name=name)
                        for name in ("first", "second")]

    def grow(self):
        """One more instance, of which all must know, in the same slot."""
        one = self._sandbox.service(f"s{len(self.services)}")
        wait.until(lambda: self.client.connected, 30, "kazoo is connected")
        self.client.create(f"{self._path}/{one.name}", one.payload(one.name),
                           makepath=True)
        self.services.append(one)
        for proxy in self.proxies:
            proxy.serves(self.services, seconds=30)
            proxy.remembers(self.services)
        first, second = (proxy.slots() for proxy in self.proxies)
        assert first == second


def restart(proxy, command, owner):
    """Starts it as another program, whose user has other numbers."""
    proxy.command = command
    for file in ("", *os.listdir(proxy.state_directory)):
        os.chown(os.path.join(proxy.state_directory, file), *owner)
    proxy.start()


def test_machines_change_to_another_haproxy_and_back(sandbox, path):
    other = OtherDebian(sandbox)
    machines = Machines(sandbox, path)
    machines.grow()
    versions = set()
    mine = pwd.getpwnam("haproxy")
    for command, owner in (
            (other.command("haproxy"), other.user("haproxy")),
            (["haproxy"], (mine.pw_uid, mine.pw_gid))):
        for proxy, rest in (machines.proxies, machines.proxies[::-1]):
            with sandbox.load(rest, f"{rest.name} serves alone") as load:
                slots = proxy.slots()
                proxy.stop()
                machines.server.stop()
                restart(proxy, command, owner)
                versions.add(proxy.info()["Version"])
                assert proxy.slots() == slots
                assert proxy.get()[0] == 200
                machines.server.start()
                machines.grow()
            load.assert_none_failed()
    assert len(versions) == 2
