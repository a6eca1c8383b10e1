"""nerve answers an operator even while something that it needs hangs."""

import json
import os

import pytest

import ctl
import preload
import wait
from nerve import watched
from zookeeper import children

# These do not return while the file $HUNG is there; $HUNG.in says that one of
# them was called.
HANG = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void hang(void) {
    char name[4096];
    int fd;

    snprintf(name, sizeof(name), "%s.in", getenv("HUNG"));
    if (access(getenv("HUNG"), F_OK) != 0)
        return;
    fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    while (access(getenv("HUNG"), F_OK) == 0)
        usleep(1000);
}

int zookeeper_close(void *handle) {
    int (*real)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, "zookeeper_close");

    hang();
    return real(handle);
}

struct passwd *getpwuid(uid_t uid) {
    (void)uid;
    hang();
    return NULL;
}

char *getlogin(void) {
    hang();
    return NULL;
}

int getpwuid_r(uid_t uid, struct passwd *user, char *buffer, size_t size,
               struct passwd **found) {
    (void)uid; (void)user; (void)buffer; (void)size;
    hang();
    *found = NULL;
    return 0;
}
"""


@pytest.fixture
def hung(sandbox):
    """The path of the file. It is removed first at the end: nerve goes on."""
    path = sandbox.path("hung")
    yield path
    if os.path.exists(path):
        os.remove(path)


def settings(sandbox):
    """After a session the next one begins, and zookeeper_close() of the old
    one hangs: so it lives long."""
    return {**ctl.controlled(sandbox, "one"), "session_timeout": 9}


def start(sandbox, services, hung):
    nerve = sandbox.nerve("one", services, start=False, **settings(sandbox))
    nerve.start(env=preload.environment(sandbox, "hang", HANG, HUNG=hung))
    return nerve


def begin_to_hang(hung):
    with open(hung, "w"):
        pass


def test_an_ensemble_that_hangs_does_not_keep_an_operator_waiting(
        sandbox, healthy, witness, path, hung):
    """One thread closed the sessions, which takes seconds where a server
    hangs, and wrote the file of what operators say: `nerve ctl disable` of a
    service of another ensemble waited for that, and was not confirmed."""
    web, old = sandbox.service("web"), sandbox.service("old")
    twice = f"{healthy.addresses[0]},{healthy.addresses[0]}"
    services = {"web": watched(web, healthy, f"{path}/web"),
                "old": watched(old, healthy, f"{path}/old", zk_hosts=[twice])}
    nerve = start(sandbox, services, hung)
    for name in services:
        wait.until(lambda name=name: children(witness, f"{path}/{name}"), 20,
                   f"{name} is registered")
    begin_to_hang(hung)
    nerve.reload({"web": services["web"]}, **settings(sandbox))
    wait.until(lambda: os.path.exists(f"{hung}.in"), 30,
               "nerve closes the session of the other ensemble")
    ctl.done(nerve, "disable", "web", "--reason", "disk", "--drain", "0s")
    assert not children(witness, f"{path}/web")
    with open(sandbox.path("one.holds.json")) as file:
        assert "disk" in json.dumps(json.load(file))
    assert os.path.exists(hung)


def test_a_directory_service_that_hangs_keeps_nobody_waiting(
        sandbox, healthy, witness, path, hung):
    """The name of the user who asks came from getpwuid_r(), on one of the four
    threads of libuv: four `nerve ctl status` held them all, and with them the
    heartbeat and SIGHUP."""
    web = sandbox.service("web")
    services = {"web": watched(web, healthy, path)}
    nerve = start(sandbox, services, hung)
    wait.until(lambda: children(witness, path), 20, "it is registered")
    begin_to_hang(hung)
    for _ in range(5):
        assert ctl.status(nerve)["state"] == "up"
    nerve.reload(services, **settings(sandbox))
    ctl.done(nerve, "disable", "web", "--reason", "disk", "--drain", "0s")
    assert ctl.status(nerve)["hold"]["author"] == "root"
    assert not os.path.exists(f"{hung}.in")


def test_a_session_begins_while_a_directory_service_hangs(
        sandbox, healthy, witness, path, hung):
    """ZooKeeper's library asked for the name of the user, only to log it, in
    each zookeeper_init(): nerve's loop stood still."""
    begin_to_hang(hung)
    start(sandbox, {"web": watched(sandbox.service("web"), healthy, path)},
          hung)
    wait.until(lambda: children(witness, path), 20, "it is registered")
    assert os.path.exists(hung)
    assert not os.path.exists(f"{hung}.in")
