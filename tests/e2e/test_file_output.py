"""The files of the services, and the age of a snapshot."""

import json
import os
import shutil
import stat
import time

import pytest

import wait
from chain import Site
from haproxy import Backend, web
from zookeeper import register

# More time than any test allows.
LONG_AGO = 100000


@pytest.fixture
def directory(sandbox):
    """Returns a directory in which HAProxy's user may write."""
    made = sandbox.path("files")
    os.mkdir(made, 0o755)
    shutil.chown(made, "haproxy", "haproxy")
    return made


def output_to(directory, **more):
    return {"file_output": {"output_directory": directory}, **more}


def content(directory, name="web.json"):
    try:
        with open(os.path.join(directory, name)) as file:
            return file.read()
    except FileNotFoundError:
        return None


def holds(directory, text):
    wait.until(lambda: content(directory) == text, 10, f"it holds {text}")


def test_a_file_has_the_instances_as_airbnbs_synapse_writes_them(
        sandbox, healthy, witness, path, directory):
    one = sandbox.service("one")
    proxy = sandbox.haproxy(
        [web(healthy, path, service={"use_previous_backends": False})],
        synapse=output_to(directory, lockdown=True))
    holds(directory, None)
    witness.ensure_path(path)
    holds(directory, "[]")
    node = register(witness, path, one.payload("i-1", labels={"az": "a"}))
    number = int(node.rpartition("_")[2])
    holds(directory, f'[{{"name":"i-1","host":"{one.host}","port":{one.port},'
          f'"id":{number},"weight":null,"haproxy_server_options":null,'
          '"labels":{"az":"a"}}]')
    proxy.serves([one])
    mode = os.stat(os.path.join(directory, "web.json")).st_mode
    assert stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o644
    witness.delete(node)
    holds(directory, "[]")
    assert sorted(os.listdir(directory)) == [".myelin", "web.json"]


# The agent ignored a change that did not affect a server, so new labels of a
# znode reached neither the file nor the status.
def test_a_file_follows_labels_alone(
        sandbox, healthy, witness, path, directory):
    proxy = sandbox.haproxy([web(healthy, path)],
                            synapse=output_to(directory))
    one = sandbox.service("one")
    node = register(witness, path, one.payload("i-1", labels={"az": "a"}))
    wait.until(lambda: '{"az":"a"}' in (content(directory) or ""), 10, "az a")
    proxy.serves([one])
    witness.set(node, one.payload("i-1", labels={"az": "b"}))
    wait.until(lambda: '{"az":"b"}' in content(directory), 10, "az b")
    told = json.loads(proxy.ask("show synapse service web json"))
    assert told["instances"][0]["labels"] == {"az": "b"}


# A thaw applied the changes that had come while the service was frozen, but
# did not write the file.
def test_a_file_has_what_was_missed_while_frozen(
        sandbox, healthy, witness, path, directory):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path)], synapse=output_to(
        directory, runtime_changes=True))
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    proxy.ask("synapse freeze web")
    register(witness, path, two.payload("two"))
    wait.always(lambda: str(two.port) not in (content(directory) or ""), 2,
                "it is frozen")
    proxy.ask("synapse thaw web")
    proxy.serves([one, two])
    wait.until(lambda: str(two.port) in content(directory), 10, "it is there")


# It appeared only with the first reload, from the snapshot.
def test_a_file_has_the_default_servers_of_a_static_service(
        sandbox, directory):
    proxy = sandbox.haproxy([Backend(hosts=["none"], service={
        "discovery": {"method": "base"},
        "default_servers": [{"host": "127.0.0.1", "port": 80}]})],
        snapshot=False, synapse=output_to(directory))
    holds(directory, '[{"name":null,"host":"127.0.0.1","port":80}]')
    assert proxy.process.alive()


def test_nothing_is_written_before_anything_is_known(
        sandbox, path, directory):
    site = Site(sandbox, path, synapse=output_to(directory))
    wait.until(lambda: content(directory), 10, "the file is there")
    written = content(directory)
    site.server.stop()
    site.proxy.stop()
    os.unlink(os.path.join(directory, "web.json"))
    site.proxy.start()
    holds(directory, written)
    site.proxy.stop()
    os.unlink(os.path.join(directory, "web.json"))
    os.unlink(site.proxy.snapshot)
    site.proxy.start()
    site.proxy.process.says("0 instances from the snapshot")
    wait.always(lambda: content(directory) is None, 2, "nothing is written")


def test_files_of_others_stay_and_those_of_services_that_are_gone_do_not(
        sandbox, healthy, witness, path, directory):
    for name in (path, f"{path}/other"):
        witness.ensure_path(name)
    with open(os.path.join(directory, "theirs.json"), "w") as file:
        file.write("precious")
    both = sandbox.haproxy([web(healthy, path),
                            web(healthy, f"{path}/other", name="other")],
                           synapse=output_to(directory))
    wait.until(lambda: content(directory, "other.json") == "[]", 10, "written")
    both.stop()
    sandbox.haproxy([web(healthy, path)], name="again",
                    synapse=output_to(directory))
    wait.until(lambda: content(directory, "other.json") is None, 10, "removed")
    holds(directory, "[]")
    assert content(directory, "theirs.json") == "precious"


def test_an_old_snapshot_serves_until_zookeeper_answers_and_no_longer(
        sandbox, path):
    site = Site(sandbox, path)
    site.server.stop()
    site.proxy.stop()
    then = time.time() - LONG_AGO
    os.utime(site.proxy.snapshot, (then, then))
    site.proxy.start()
    site.proxy.process.says("s old, and state_file_ttl is 86400 s")
    site.proxy.serves(site.services)
    site.server.wipe()
    site.server.start()
    site.server.client().ensure_path(path)
    site.proxy.serves([], seconds=30)


def test_what_a_crash_left_beside_the_snapshot_is_removed(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([web(healthy, path)], start=False)
    left = os.path.join(proxy.state_directory,
                        ".synapse.json.0123456789abcdef")
    with open(left, "w") as file:
        file.write("half of it")
    os.utime(left, (1, 1))
    proxy.start()
    register(witness, path, one.payload("one"))
    proxy.remembers([one])
    wait.until(lambda: not os.path.exists(left), 10, "it is removed")
