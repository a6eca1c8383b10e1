"""The harness on which the other tests rely."""

import pytest

import wait
from haproxy import Backend
from sandbox import Sandbox
from zookeeper import births, children


def test_data_and_sessions_survive_a_zookeeper_that_is_killed(sandbox):
    server = sandbox.zookeeper()
    client = server.client()
    client.create("/a/b", b"1", ephemeral=True, makepath=True)
    before = births(client, "/a")
    server.stop()
    server.start()
    assert births(client, "/a") == before
    assert client.get("/a/b")[0] == b"1"


def test_a_wiped_zookeeper_has_forgotten_everything(sandbox):
    server = sandbox.zookeeper()
    server.client().create("/a")
    server.close()
    server.stop()
    server.wipe()
    server.start()
    assert children(server.client(), "/") == ["zookeeper"]


def test_a_frozen_zookeeper_answers_nobody_until_it_is_thawed(sandbox):
    server = sandbox.zookeeper()
    server.freeze()
    assert server.command("ruok") == ""
    server.thaw()
    server.wait_until_it_answers()


def test_the_load_counts_who_answered_and_every_failure(sandbox):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([Backend(slots=0, lines=[
        f"server {it.name} {it.host}:{it.port}" for it in (one, two)])],
        agent=False)
    with sandbox.load(proxy) as load:
        wait.until(lambda: min(load.answers["one"], load.answers["two"]) > 30,
                   10, "both have answered")
    load.assert_none_failed()
    with sandbox.load(proxy, "control: a server killed") as load:
        one.process.kill()
        two.process.kill()
        wait.until(lambda: load.failed > 10, 10, "requests fail")
    load.assert_some_failed()
    with pytest.raises(AssertionError):
        load.assert_none_failed()


def test_a_reload_leaves_one_worker_and_fails_no_request(sandbox):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([Backend(slots=0, lines=[
        f"server one {one.host}:{one.port}"])], agent=False)
    with sandbox.load(proxy) as load:
        for _ in range(3):
            fresh = proxy.reload()
            wait.until(lambda: proxy.workers() == [fresh], 10,
                       "only the new worker is left")
    load.assert_none_failed()


def test_what_a_program_leaves_behind_is_ended_and_told():
    made = Sandbox()
    parent = made.run("parent", ["sh", "-c", "sleep 1000 & exit 0"])
    assert parent.ended(10) == 0
    assert len(parent.group()) == 1
    [trouble] = made.close()
    made.remove()
    assert trouble.startswith("parent left processes behind")
    wait.until(lambda: parent.group() == [], 10, "what was killed is gone")
