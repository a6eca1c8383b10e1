"""The credentials that nerve shows to ZooKeeper, and who may change its
znodes."""

import os
import signal
import time

import pytest
from kazoo.exceptions import NoAuthError
from kazoo.security import make_digest_acl, make_acl

import nerve as nerve_module
import wait
from ctl import controlled, status
from nerve import watched
from wire import Wire
from zookeeper import ZooKeeper, births, children, registrations

ACL = "creator:all,world:read"
PASSWORD = "pass:word-of-nerve"


@pytest.fixture
def one(sandbox):
    return sandbox.service("one")


@pytest.fixture
def secret(sandbox):
    return write_secret(sandbox, PASSWORD)


@pytest.fixture
def web(one, healthy, path):
    return watched(one, healthy, path)


@pytest.fixture
def nerve(sandbox, web, secret, witness, path):
    """A nerve that shows credentials, gives its znodes an ACL, and logs
    everything."""
    started = sandbox.nerve("one", {"web": web}, start=False,
                            auth=auth(secret), acl=ACL)
    started.start(env={**os.environ, "DEBUG": "1"})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    return started


def write_secret(sandbox, password, mode=0o600):
    file = sandbox.write("secret", f"{password}\n")
    os.chmod(file, mode)
    return file


def auth(file):
    return {"user": "nerve", "password_file": file}


def acls(client, path):
    return sorted(map(str, client.get_acls(path)[0]))


# The servers do not show other clients the hash of a password.
OF_CREATOR = sorted(map(str, [make_acl("digest", "nerve:x", all=True),
                              make_acl("world", "anyone", read=True)]))


def may_write(server, found, password):
    """Tells whether a client with this password may write to a znode."""
    client = server.client()
    client.add_auth("digest", f"nerve:{password}")
    try:
        client.set(found, b"{}")
        return True
    except NoAuthError:
        return False


def znode(client, path):
    name, = children(client, path)
    return f"{path}/{name}"


def test_without_an_acl_all_may_do_all(sandbox, web, witness, path):
    sandbox.nerve("one", {"web": web})
    wait.until(lambda: children(witness, path), 10, "it is registered")
    anyone = [str(make_acl("world", "anyone", all=True))]
    assert acls(witness, znode(witness, path)) == anyone
    assert acls(witness, path) == anyone


def test_only_nerve_may_change_what_it_made(nerve, witness, path):
    found = znode(witness, path)
    assert acls(witness, found) == OF_CREATOR
    assert acls(witness, path) == OF_CREATOR
    assert witness.get(found)[0]
    for change in (lambda: witness.set(found, b"{}"),
                   lambda: witness.delete(found),
                   lambda: witness.create(f"{path}/other")):
        with pytest.raises(NoAuthError):
            change()


def test_nerve_itself_may_change_what_it_made(
        nerve, one, web, secret, witness, path):
    nerve.reload({"web": dict(web, weight=7)}, auth=auth(secret), acl=ACL)
    wait.until(lambda: b'"weight":7' in registrations(witness, path)[0], 10,
               "its weight is 7")
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "it is removed")


def test_so_may_the_one_that_takes_it_over(nerve, one, witness, path):
    before = births(witness, path)
    nerve.process.send(signal.SIGUSR2)
    nerve.process.says("session resumed", 20)
    assert births(witness, path) == before
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "it is removed")


def test_and_after_a_connection_was_lost(sandbox, one, secret, path):
    server = sandbox.zookeeper()
    client = server.client()
    nerve = sandbox.nerve("one", {"web": watched(one, server, path)},
                          auth=auth(secret), acl=ACL, session_timeout=6)
    wait.until(lambda: children(client, path), 10, "it is registered")
    server.stop()
    server.start()
    nerve.process.says("connected again|session resumed|new session", 30)
    one.set_health("down")
    wait.until(lambda: not children(client, path), 20, "it is removed")


def test_another_password_is_shown_too(
        nerve, one, web, sandbox, healthy, witness, path):
    old = births(witness, path)
    other = write_secret(sandbox, "another")
    nerve.reload({"web": dict(web, weight=7)}, auth=auth(other), acl=ACL)
    wait.until(lambda: b'"weight":7' in registrations(witness, path)[0], 10,
               "it may still change what it has")
    assert births(witness, path) == old
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "it is removed")
    one.set_health("up")
    wait.until(lambda: children(witness, path), 10, "it is back")
    assert may_write(healthy, znode(witness, path), "another")
    assert may_write(healthy, znode(witness, path), PASSWORD)
    assert not may_write(healthy, znode(witness, path), "a third")


def test_the_password_is_told_nowhere(nerve, one, web, secret, witness, path):
    nerve.reload({"web": web}, auth=auth(secret), acl=ACL)
    os.chmod(secret, 0o644)
    nerve.reload(says="not reloaded, nothing is changed: .*: "
                      "auth.password_file: .*chmod it to 0600 or 0640")
    status, printed = nerve_module.check(nerve.file)
    assert status == 1 and "auth.password_file" in printed
    one.set_health("down")
    wait.until(lambda: not children(witness, path), 10, "it is removed")
    assert nerve.process.stop() == 0
    assert PASSWORD not in nerve.process.text() + printed


def test_what_others_made_for_themselves_is_told_and_tried_again(
        sandbox, web, witness, path):
    theirs = make_digest_acl("theirs", "secret", all=True)
    witness.ensure_path(path)
    witness.set_acls(path, [theirs, make_acl("world", "anyone", read=True)])
    nerve = sandbox.nerve("one", {"web": web})
    nerve.process.says("registration below .* failed .not authenticated.")
    assert children(witness, path) == []


def test_a_server_that_refuses_credentials_is_not_stormed(
        sandbox, one, secret, path):
    server = ZooKeeper(sandbox, lines=[
        "DigestAuthenticationProvider.enabled=false"])
    sandbox.at_end(server.close)
    server.start()
    client = server.client()
    nerve = sandbox.nerve("one", {"web": watched(one, server, path)},
                          auth=auth(secret))
    nerve.process.says("error .*the servers refuse the credentials")
    wait.always(lambda: server.connections() <= 1, 4,
                "no other connection is made")
    assert len(nerve.process.lines("refuse the credentials")) == 1
    assert children(client, path) == []
    assert nerve.process.stop(seconds=3) == 0


def test_a_server_that_refuses_all_requests_is_asked_less_and_less(
        sandbox, one, path):
    """With enforce.auth a server ends each connection at its first request.
    nerve connected 20 times a second, logged 40 lines a second, and blamed
    maxClientCnxns."""
    server = ZooKeeper(sandbox, lines=["enforce.auth.enabled=true",
                                       "enforce.auth.schemes=digest"])
    sandbox.at_end(server.close)
    server.start()
    wire = Wire(sandbox, server)
    nerve = sandbox.nerve("one", {"web": watched(one, wire, path)},
                          **controlled(sandbox, "one"))
    nerve.process.says("connection ended by the server: the server takes no "
                       "request without credentials")
    begun, before = time.monotonic(), wire.counts["connect"]
    wait.until(lambda: wire.counts["connect"] >= before + 8, 60,
               "it connects again and again")
    assert time.monotonic() - begun > 2.5, "8 connections, 2 a second"
    wait.until(lambda: "enforce.auth" in status(nerve).get("trouble", ""), 10,
               "nerve ctl names the cause")
    assert len(nerve.process.lines("enforce.auth")) <= 3
    assert not nerve.process.lines("maxClientCnxns")
    nerve.configure({"web": watched(one, wire, path)},
                    auth=auth(write_secret(sandbox, PASSWORD)),
                    **controlled(sandbox, "one"))
    nerve.process.send(signal.SIGHUP)
    client = server.client(credentials=f"nerve:{PASSWORD}")
    wait.until(lambda: children(client, path), 20, "it is registered")
    nerve.process.says("the server takes requests again")
