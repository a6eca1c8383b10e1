"""The agent's digest credentials for ZooKeeper: znodes that only their owner
may read."""

import os

import pytest
from kazoo.security import make_digest_acl

import wait
from haproxy import web
from zookeeper import register

USER, PASSWORD = "synapse", "a-long-s3cret"


def closed(sandbox, server, path, name="one"):
    """Registers an instance in a path that only the user may read. Returns its
    client."""
    client = server.client()
    client.add_auth("digest", f"{USER}:{PASSWORD}")
    acl = [make_digest_acl(USER, PASSWORD, all=True)]
    client.ensure_path(path.rpartition("/")[0])
    client.create(path, acl=acl)
    one = sandbox.service(name)
    client.create(f"{path}/{name}_", one.payload(name), acl=acl,
                  ephemeral=True, sequence=True)
    return one


def proxy_with(sandbox, server, path, auth, **options):
    backend = web(server, path, service={"discovery": {
        "method": "zookeeper", "hosts": [server.hosts], "path": path,
        "auth": {"user": USER, **auth}}})
    return sandbox.haproxy([backend], **options)


def secret_file(sandbox, password):
    """Returns a file that only root may read, as an operator keeps it."""
    file = sandbox.write("secret", password + "\n")
    os.chmod(file, 0o600)
    return file


def test_a_path_that_is_closed_to_others_is_read_with_a_password_from_a_file(
        sandbox, healthy, path):
    one = closed(sandbox, healthy, path)
    file = secret_file(sandbox, PASSWORD)
    proxy = proxy_with(sandbox, healthy, path, {"password_file": file},
                       status=True)
    proxy.serves([one])
    proxy.remembers([one])
    proxy.reload()
    proxy.serves([one])
    told = [proxy.process.text(), proxy.check()[1],
            *(proxy.get(f"/{name}", proxy.status_port)[1]
              for name in ("status.json", "events.json"))]
    assert healthy.hosts in told[2]
    assert not [text for text in told if PASSWORD in text]


def test_a_new_session_shows_its_credentials_again(sandbox, path):
    server = sandbox.zookeeper()
    one = closed(sandbox, server, path)
    two = sandbox.service("two")
    proxy = proxy_with(sandbox, server, path, {"password": PASSWORD})
    proxy.serves([one])
    server.stop()
    server.start()
    wait.until(lambda: len(proxy.process.lines(
        "^synapse: session with .* connected")) > 1, 30,
        "the session is back")
    client = server.client()
    client.add_auth("digest", f"{USER}:{PASSWORD}")
    register(client, path, two.payload("two"))
    wait.until(lambda: two.address in proxy.serving(), 20, "it reads again")


def test_a_wrong_password_is_told_and_what_is_known_stays(
        sandbox, healthy, path):
    one = closed(sandbox, healthy, path)
    file = secret_file(sandbox, PASSWORD)
    proxy = proxy_with(sandbox, healthy, path, {"password_file": file})
    proxy.serves([one])
    proxy.remembers([one])
    secret_file(sandbox, "not-the-secret")
    proxy.reload()
    proxy.process.says(f"{path}: cannot be read: not authenticated")
    wait.always(lambda: proxy.serving() == [one.address], 1,
                "what is known stays")
    assert len(proxy.process.lines(f"^synapse: {path}: cannot be read")) == 1
    assert "not-the-secret" not in proxy.process.text()


# ZooKeeper accepts any `digest` credentials. A server without that scheme
# refuses them and ends the session.
def test_refused_credentials_are_a_state_of_their_own_and_no_storm(
        sandbox, path):
    server = sandbox.zookeeper(
        lines=["DigestAuthenticationProvider.enabled=false"])
    one = sandbox.service("one")
    register(server.client(), path, one.payload("one"))
    proxy = proxy_with(sandbox, server, path, {"password": PASSWORD},
                       status=True)
    proxy.process.says("session with .*: credentials refused")
    lines = len(proxy.process.lines("^synapse: "))
    wait.always(lambda: '"auth_failed"' in proxy.get(
        "/status.json", proxy.status_port)[1], 3, "the state is told")
    assert len(proxy.process.lines("^synapse: .*credentials refused")) == 1
    assert len(proxy.process.lines("^synapse: ")) <= lines + 2
    assert proxy.serving() == []


@pytest.mark.parametrize("auth, wrong", [
    ({"password": PASSWORD + "\n"}, "auth.password: is not one line of text"),
    ({"password_file": "/nonexistent"}, "auth.password_file: /nonexistent"),
    ({}, "auth: needs one of `password` and `password_file`")])
def test_a_mistake_is_told_with_its_place_and_without_the_password(
        auth, wrong, sandbox, healthy, path):
    proxy = proxy_with(sandbox, healthy, path, auth, start=False)
    status, said = proxy.check()
    assert status == 1 and wrong in said
    assert PASSWORD not in said
