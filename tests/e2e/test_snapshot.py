"""The snapshot: what may be at its path, and what must do no harm."""

import json
import os
import re
import stat
import subprocess

import pytest

import wait
from chain import Site
from haproxy import web
from zookeeper import register

RUBY = json.dumps({"web": {"one_10.0.0.1:80": {
    "timestamp": 1700000000, "haproxy_server_id": 1, "name": "one",
    "host": "10.0.0.1", "port": 80, "id": 0}}}, indent=2)


def content(proxy):
    with open(proxy.snapshot) as file:
        return file.read()


def restarted_without_zookeeper(site, text):
    """Starts HAProxy again with other content at the snapshot's path."""
    site.server.stop()
    site.proxy.stop()
    with open(site.proxy.snapshot, "w") as file:
        file.write(text)
    site.proxy.start()


def test_the_snapshot_is_readable_by_its_owner_alone(sandbox, path):
    site = Site(sandbox, path)
    mode = os.stat(site.proxy.snapshot).st_mode
    assert stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o600
    name = os.path.basename(site.proxy.snapshot)
    wait.until(lambda: sorted(os.listdir(site.proxy.state_directory)) ==
               [name, f"{name}.lock"], 5,
               "no temporary file is left")


@pytest.mark.parametrize("damage", [
    lambda text: "", lambda text: text[:-5], lambda text: text + "x",
    lambda text: text.replace("127", "126"),
    lambda text: re.sub(r"^(\S+) \d+", r"\1 99", text)],
    ids=["empty", "cut", "longer", "changed", "another-version"])
def test_a_snapshot_that_is_not_whole_is_ignored_and_written_anew(
        damage, sandbox, path):
    site = Site(sandbox, path)
    restarted_without_zookeeper(site, damage(content(site.proxy)))
    assert site.proxy.get()[0] == 503
    assert site.proxy.process.lines("snapshot|" + site.proxy.snapshot)
    site.server.start()
    wait.until(lambda: len(site.proxy.serving()) == 2, 20, "both serve")
    site.proxy.remembers(site.services)


def test_the_state_file_of_the_ruby_synapse_is_left_alone(sandbox, path):
    site = Site(sandbox, path)
    restarted_without_zookeeper(site, RUBY)
    site.server.start()
    wait.until(lambda: len(site.proxy.serving()) == 2, 20, "both serve")
    assert site.proxy.process.lines(site.proxy.snapshot)
    wait.always(lambda: content(site.proxy) == RUBY, 2.5, "it stays")


def test_a_symbolic_link_at_its_path_is_not_followed(
        sandbox, healthy, witness, path):
    secret = sandbox.write("secret", "root's secret words")
    proxy = sandbox.haproxy([web(healthy, path)],
                            start=False)
    os.symlink(secret, proxy.snapshot)
    one = sandbox.service("one")
    register(witness, path, one.payload("one"))
    proxy.start()
    proxy.serves([one])
    assert not proxy.process.lines("secret words")
    with open(secret) as file:
        assert file.read() == "root's secret words"


def full_disk(sandbox, proxy):
    """Mounts a tiny file system at the snapshot's directory and fills it."""
    where = proxy.state_directory
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777",
                    "none", where], check=True)
    sandbox.at_last(lambda: subprocess.run(["umount", "-l", where],
                                           check=True))

    def fill():
        with open(os.path.join(where, "filler"), "wb", 0) as file:
            try:
                while True:
                    file.write(b"." * 4096)
            except OSError:
                pass

    return fill, lambda: os.unlink(os.path.join(where, "filler"))


def closed_directory(_, proxy):
    """Makes the snapshot's directory read-only."""
    return (lambda: os.chmod(proxy.state_directory, 0o500),
            lambda: os.chmod(proxy.state_directory, 0o700))


@pytest.mark.parametrize("fault", [full_disk, closed_directory])
def test_a_snapshot_that_cannot_be_written_stays_as_it_was(
        fault, sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path)],
                            start=False)
    begin, end = fault(sandbox, proxy)
    proxy.start()
    register(witness, path, one.payload("one"))
    proxy.remembers([one])
    begin()
    before = content(proxy)
    register(witness, path, two.payload("two"))
    proxy.serves([one, two])
    proxy.process.says(f"{proxy.snapshot}.*cannot be written")
    assert content(proxy) == before
    end()
    proxy.remembers([one, two], seconds=20)


def test_it_is_written_at_most_once_a_second(
        sandbox, healthy, witness, path):
    proxy = sandbox.haproxy([web(healthy, path)])
    one = sandbox.service("one")
    node = register(witness, path, one.payload("one", weight=1))
    proxy.remembers([one])
    seen, weight = set(), 0

    def change():
        nonlocal weight
        weight += 1
        witness.set(node, one.payload("one", weight=weight % 250))
        seen.add(os.stat(proxy.snapshot).st_ino)
        return True

    wait.always(change, 3, "changes")
    assert 2 <= len(seen) <= 5
