"""nerve and HAProxy in containers, and with a clock that is set."""

import errno
import fcntl
import os
import re
import signal
import subprocess

import pytest

import ctl
import preload
import program
import wait
from container import CLOSE_RANGE, PIDFD_OPEN, Container
from haproxy import web
from nerve import watched
from zookeeper import children, register

# Leaves a process behind, outside of its group, that ends a little later.
LEAVES_ONE = ["sh", "-c", "setsid sleep 0.1 & echo x >>{}; exit 0"]


def exec_check(*command):
    return {"type": "exec", "command": list(command), "timeout": 20}


@pytest.mark.parametrize("reason", [errno.ENOSYS, errno.EPERM])
def test_nerve_runs_as_the_first_process_of_a_container(
        reason, sandbox, healthy, witness, path):
    """If pidfd_open was refused, every exec check failed. Processes that
    checked programs left behind became zombies, two or three a second, because
    nerve as process 1 inherits them. nerve raised its limit of descriptors to
    a thousand million, and the programs inherited that."""
    server = sandbox.service("web")
    runs = sandbox.write("runs", "")
    leaves_one = [word.format(runs) for word in LEAVES_ONE]
    nerve = sandbox.nerve("one", {
        "web": watched(server, healthy, path,
                       checks=[exec_check(*leaves_one)]),
        "limit": watched(server, healthy, f"{path}-limit", checks=[
            exec_check("sh", "-c", "test $(ulimit -n) = 1024")])},
        start=False, **ctl.controlled(sandbox, "one"))
    container = Container(sandbox, "container",
                          [program.NERVE, "-c", nerve.file],
                          refused=(PIDFD_OPEN, CLOSE_RANGE), reason=reason)
    wait.until(lambda: children(witness, path), 20, "it is registered")
    wait.until(lambda: children(witness, f"{path}-limit"), 20,
               "a program has the limit that nerve was started with")
    wait.until(lambda: os.path.getsize(runs) > 60, 30, "30 runs")
    wait.until(lambda: container.zombies() == 0, 10, "nobody is left a zombie")
    assert not container.process.lines(" down")
    assert container.stop() == 0
    assert not children(witness, path)


def test_haproxy_runs_with_the_agent_as_the_first_process_of_a_container(
        sandbox, healthy, witness, path):
    server = sandbox.service("web")
    register(witness, path, server.payload("web"))
    proxy = sandbox.haproxy([web(healthy, path)], start=False)
    container = Container(sandbox, "container",
                          ["haproxy", "-W", "-S",
                           f"{proxy.directory}/master.sock", "-f",
                           proxy.file],
                          refused=(PIDFD_OPEN, CLOSE_RANGE))
    proxy.process = container.process
    wait.until(proxy.accepts, 20, "it accepts connections")
    wait.until(lambda: master_answers(proxy), 20, "the master is up")
    proxy.serves([server])
    first = proxy.info()["Pid"]
    os.kill(container.pid, signal.SIGUSR2)
    wait.until(lambda: proxy.info()["Pid"] != first, 20, "a reload")
    proxy.serves([server])
    wait.until(lambda: len(living(container.pid)) == 1, 40,
               "the old worker is gone, and waited for")
    assert proxy.get("/")[0] == 200
    # HAProxy ends like a program that the signal has killed.
    assert container.stop() in (0, 128 + signal.SIGTERM)


def master_answers(proxy):
    """Waits until the master answers. Before that it handles no signal, and
    process 1 loses a signal that it does not handle."""
    try:
        return proxy.workers()
    except OSError:
        return []


def living(pid):
    """Returns the processes that process 1 has started and not waited for."""
    with open(f"/proc/{pid}/task/{pid}/children") as children_of:
        return children_of.read().split()


def test_sigterm_while_nerve_starts_is_obeyed_once_it_has(
        sandbox, healthy, witness, path):
    """Process 1 of a container has no default action for a signal, so a signal
    that comes before nerve's handler is lost. Here a lease on the
    configuration stops nerve's start at that point."""
    server = sandbox.service("web")
    nerve = sandbox.nerve("one", {"web": watched(server, healthy, path)},
                          start=False)
    lease = os.open(nerve.file, os.O_RDWR)
    # Who breaks the lease sends this signal, which does nothing.
    fcntl.fcntl(lease, fcntl.F_SETSIG, signal.SIGURG)
    fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    container = Container(sandbox, "container",
                          [program.NERVE, "-c", nerve.file])
    wait.until(lambda: blocks(container.pid, signal.SIGTERM), 10,
               "nerve reads its configuration")
    os.kill(container.pid, signal.SIGTERM)
    os.close(lease)
    assert container.process.ended(10) == 0
    container.process.says("SIGTERM: removing the registrations")
    assert not children(witness, path)


def blocks(pid, number):
    """Tells whether a process that runs nerve blocks a signal."""
    with open(f"/proc/{pid}/status") as status:
        text = status.read()
    blocked = int(re.search(r"^SigBlk:\s*(\S+)$", text, re.M)[1], 16)
    return text.startswith("Name:\tnerve") and blocked >> (number - 1) & 1


# Changes the time that a program sees by the number of seconds in a file.
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT,
                                                     "clock_gettime");
    int status = real(id, now);
    FILE *file = id == CLOCK_REALTIME ? fopen(getenv("CLOCK_STEP"), "re")
                                      : NULL;
    long step = 0;

    if (file) {
        if (fscanf(file, "%ld", &step) == 1)
            now->tv_sec += step;
        fclose(file);
    }
    return status;
}
"""


def test_a_clock_that_is_set_ends_nothing_that_an_operator_said(
        sandbox, healthy, witness, path):
    """A machine's clock was three hours ahead for five seconds. An instance
    that was disabled for an hour got traffic again, and stayed so, because the
    file had been changed as well."""
    step = sandbox.write("step", "0")
    environment = preload.environment(sandbox, "clock", CLOCK, CLOCK_STEP=step)
    server = sandbox.service("web")
    nerve = sandbox.nerve("one", {"web": watched(server, healthy, path)},
                          start=False, **ctl.controlled(sandbox, "one"))
    nerve.start(env=environment)
    wait.until(lambda: children(witness, path), 20, "it is registered")
    ctl.done(nerve, "disable", "web", "--reason", "disk", "--for", "1h",
             "--drain", "0s")
    until = ctl.status(nerve)["hold"]["until_ms"]

    for seconds in 3 * 3600, 0, -3 * 3600:
        with open(step, "w") as file:
            file.write(str(seconds))
        wait.until(lambda: abs(ctl.status(nerve)["hold"]["until_ms"] - until
                               - seconds * 1000) < 60000, 20,
                   "nerve has seen the clock set")
    assert not children(witness, path)
    nerve.process.stop()
    with open(step, "w") as file:
        file.write(str(3 * 3600))
    nerve.start(env=environment)
    wait.until(lambda: ctl.ask(nerve, "status")[0] == 0, 20, "nerve answers")
    wait.until(lambda: ctl.status(nerve)["hold"]["until_ms"] > until + 3600000,
               20, "nerve has seen the clock set")
    ctl.done(nerve, "enable", "web")
    assert children(witness, path)


# What some container runtimes allow: `--ulimit nofile=1024:1073741816`.
MANY = """
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/resource.h>

static struct rlimit files = {1024, 1073741816};

int getrlimit(__rlimit_resource_t what, struct rlimit *found) {
    if (what == RLIMIT_NOFILE)
        *found = files;
    return what == RLIMIT_NOFILE ? 0 : prlimit(0, what, NULL, found);
}

int setrlimit(__rlimit_resource_t what, const struct rlimit *wanted) {
    if (what == RLIMIT_NOFILE)
        files = *wanted;
    return what == RLIMIT_NOFILE ? 0 : prlimit(0, what, wanted, NULL);
}
"""


def test_a_thousand_million_descriptors_change_nothing(
        sandbox, healthy, witness, path):
    """HAProxy 2.6 reserves memory for each descriptor that it is allowed, and
    did not start. The image's configuration limits them."""
    environment = preload.environment(sandbox, "many", MANY)
    server = sandbox.service("web")
    nerve = sandbox.nerve("one", {"web": watched(
        server, healthy, path, checks=[exec_check("true")])}, start=False)
    nerve.start(env=environment)
    wait.until(lambda: children(witness, path), 20, "it is registered")
    assert megabytes(nerve.process.pid) < 64
    proxy = sandbox.haproxy([web(healthy, path)], start=False,
                            extra=["fd-hard-limit 1048576"])
    proxy.command = ["env", f"LD_PRELOAD={environment['LD_PRELOAD']}",
                     *proxy.command]
    proxy.start()
    proxy.serves([server])


def megabytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"^VmRSS:\s*(\d+) kB$", status.read(),
                             re.M)[1]) / 1024


# The variables that the image sets.
IMAGE = {"SYNAPSE_SOCKET": "/run/synapse.sock", "SYNAPSE_STATUS": "127.0.0.1:3214",
         "SYNAPSE_HARD_STOP_AFTER": "30m"}


@pytest.mark.parametrize("folder, agent", [
    ("haproxy/image", "haproxy/etc"), ("demo/compose/haproxy",) * 2])
def test_haproxy_accepts_the_images_configuration(folder, agent, sandbox):
    """`make soak` builds and runs the images; this is the part that is
    cheap."""
    with open(f"{program.ROOT}/haproxy/image/container.cfg") as file:
        text = file.read()
    assert "/usr/share/myelin/synapse.lua" in text
    container = sandbox.write("container.cfg", text.replace(
        "/usr/share/myelin/synapse.lua", program.AGENT))
    accepts(["haproxy", "-c", "-f", f"{program.ROOT}/{folder}/haproxy.cfg",
             "-f", container],
            {**IMAGE, "SYNAPSE_CONFIG":
             f"{program.ROOT}/{agent}/synapse.conf.json"})


@pytest.mark.parametrize("folder", [
    "nerve/image", "demo/compose/service_a", "demo/compose/service_b"])
def test_nerve_accepts_the_images_configuration(folder):
    accepts([program.NERVE, "-k", "-c",
             f"{program.ROOT}/{folder}/nerve.conf.json"],
            {"NERVE_HOST": "10.201.7.102"})


def accepts(argv, environment):
    done = subprocess.run(argv, env={**os.environ, **environment}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60 * wait.FACTOR, check=False)
    assert done.returncode == 0, done.stdout
    assert "unknown key" not in done.stdout
