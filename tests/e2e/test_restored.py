"""A reload keeps the results of HAProxy's checks, and since when a server has
served."""

import signal

import pytest

import wait
from certificates import Authority
from haproxy import CHECKED, PLAIN_SLOT, SLOT, version, web
from scripted import Scripted, answer
from zookeeper import register

# A check that finds a dead server later than a test ends.
SELDOM = "check inter 30s fastinter 100ms downinter 30s rise 1 fall 1"

STARTING, RUNNING = "1", "2"


def failing(proxy):
    return sorted(row["addr"] for row in proxy.servers().values()
                  if row["status"].startswith("DOWN"))


# From 2.9 on HAProxy sets the addresses of plain slots too late for a reload.
KINDS = {"named": SLOT} if version() >= (2, 9) else \
    {"named": SLOT, "plain": PLAIN_SLOT}


@pytest.mark.parametrize("slot", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("ensemble", ["up", "down"])
def test_a_server_that_was_down_gets_no_request_after_a_reload(
        ensemble, slot, sandbox, healthy, path):
    """After a reload every server was up, as if no check had ever failed: of
    four servers with one dead and `inter 10s`, 79 of 795 requests failed after
    each reload. The snapshot now has the checks that failed."""
    server = sandbox.zookeeper() if ensemble == "down" else healthy
    proxy = sandbox.haproxy([web(
        server, path, slot=slot, server="check inter 200ms rise 1 fall 1",
        lines=["option redispatch 0", "retries 0"])])
    services = [sandbox.service(name) for name in ("one", "two", "three")]
    dead = sandbox.service("dead")
    client = server.client()
    for it in (*services, dead):
        register(client, path, it.payload(it.name))
    proxy.serves([*services, dead])
    proxy.remembers([*services, dead])
    dead.process.kill()
    proxy.serves(services)
    wait.until(lambda: '"fails"' in open(proxy.snapshot).read(), 10,
               "the snapshot knows")
    if ensemble == "down":
        server.stop()
    proxy.backends[0].server = SELDOM
    proxy.write()
    with sandbox.load(proxy, f"a dead server, ZooKeeper {ensemble}") as load:
        for _ in range(3):
            proxy.reload()
            assert failing(proxy) == [dead.address]
            load.settle(40)
    load.assert_none_failed()
    proxy.backends[0].server = "check inter 200ms rise 1 fall 1"
    proxy.write()
    proxy.reload()
    dead.start()
    proxy.serves([*services, dead])


def test_a_backend_is_restored_beside_a_state_file_of_the_operator(
        sandbox, healthy, witness, path):
    """HAProxy uses one `server-state-file`, the first. If another one came
    before the agent's, backends with slots had to be refused."""
    one = sandbox.service("one")
    other = sandbox.write("states", "1\n")
    proxy = sandbox.haproxy([web(healthy, path, server=SELDOM, lines=[
        "load-server-state-from-file local",
        'server-state-file-name "${SYNAPSE_SERVERS}"'])], start=False)
    with open(proxy.file) as file:
        text = file.read()
    with open(proxy.file, "w") as file:
        file.write(text.replace("global\n", "global\n  server-state-file "
                                f"{other}\n", 1))
    proxy.start()
    register(witness, path, one.payload(one.name))
    proxy.serves([one])
    proxy.remembers([one])
    slot = proxy.slots()[one.address]
    with sandbox.load(proxy, "a reload beside another state file") as load:
        proxy.reload()
        assert proxy.slots()[one.address] == slot
        load.settle(20)
    load.assert_none_failed()


def test_slots_with_tls_speak_it_after_a_reload(
        sandbox, healthy, witness, path):
    """HAProxy took a column of the file of servers to restore for an order not
    to use TLS: after a reload it sent requests unencrypted."""
    ours = Authority(sandbox, "ours")
    secure = Scripted(sandbox, [answer(b"secure")],
                      tls=ours.context("web.example"))
    one = sandbox.service("one")
    proxy = sandbox.haproxy([web(
        healthy, path,
        server=f"{CHECKED} ssl verify required ca-file {ours.file}")])
    register(witness, path, one.payload("secure", port=secure.port))
    place = [f"{secure.host}:{secure.port}"]
    wait.until(lambda: proxy.serving() == place, 10, "it serves")
    proxy.remembers([secure])
    for _ in range(2):
        proxy.reload()
        wait.until(lambda: proxy.serving() == place, 10, "it serves again")
        assert proxy.get() == (200, "secure")


def test_slowstart_does_not_begin_again_with_a_reload(
        sandbox, healthy, witness, path):
    """Every server began its slowstart again, with a twentieth of its maxconn:
    266 of 600 requests got a 503 after a reload; before it none did."""
    services = [sandbox.service(name) for name in ("one", "two")]
    proxy = sandbox.haproxy([web(healthy, path, server=(
        "check inter 200ms rise 1 fall 1 slowstart 3s"))])
    for it in services:
        register(witness, path, it.payload(it.name))
    proxy.serves(services)
    # HAProxy restores whole seconds.
    wait.until(lambda: states(proxy) == [RUNNING, RUNNING] and
               min(changed(proxy)) > 4, 10, "both are warm")
    proxy.remembers(services)
    for _ in range(3):
        proxy.reload()
        assert states(proxy) == [RUNNING, RUNNING]


def test_a_server_in_its_slowstart_goes_on_with_it_after_a_reload(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([web(healthy, path, server=(
        "check inter 200ms rise 1 fall 1 slowstart 60s"))])
    register(witness, path, one.payload(one.name))
    proxy.serves([one])
    proxy.remembers([one])
    [began] = changed(proxy)
    wait.until(lambda: changed(proxy)[0] > began + 2, 10, "it has warmed a bit")
    for _ in range(2):
        proxy.reload()
        assert states(proxy) == [STARTING]
        assert changed(proxy)[0] >= began + 2


def test_what_an_operator_does_to_a_dead_server_survives_a_reload(
        sandbox, healthy, witness, path):
    """The number of usable servers did not change, so the agent noticed it
    only at its next comparison, up to 30 s later. A reload before that lost
    it."""
    one, dead = sandbox.service("one"), sandbox.service("dead")
    proxy = sandbox.haproxy([web(healthy, path)])
    for it in (one, dead):
        register(witness, path, it.payload(it.name))
    proxy.serves([one, dead])
    proxy.remembers([one, dead])
    dead.process.kill()
    proxy.serves([one])
    slot = proxy.slots()[dead.address]
    proxy.ask(f"set server web/{slot} state maint")
    wait.until(lambda: '"maint"' in open(proxy.snapshot).read(), 4,
               "the snapshot has it")
    dead.start()
    proxy.reload()
    wait.always(lambda: proxy.servers()[slot]["status"] == "MAINT", 1,
                "it is out of traffic")


def foreign_file(proxy, section, lines):
    """Has HAProxy load states from an operator's own file, in which slot s1
    had another port."""
    text = proxy.ask("show servers state web")
    state = [line.split() for line in text.splitlines() if line]
    for row in state:
        if len(row) > 18 and row[3] == "s1":
            row[18] = "9"
    with open(proxy.file) as file:
        before = file.read()
    name = proxy.file + ".states"
    with open(name, "w") as file:
        file.write("\n".join(map(" ".join, state)) + "\n")
    lines = "".join(f"\n  {line}" for line in lines(name))
    with open(proxy.file, "w") as file:
        file.write(before.replace(f"\n{section}\n", f"\n{section}{lines}\n",
                                  1))


@pytest.mark.parametrize("section", ["defaults", "backend web"])
@pytest.mark.parametrize("slot", [SLOT, PLAIN_SLOT], ids=["named", "plain"])
def test_a_state_file_of_somebody_else_is_refused_at_load(
        slot, section, sandbox, healthy, witness, path):
    """HAProxy restored ports from the operator's state file before the agent
    saw the servers. Such a slot was no slot any more: it was up at
    127.0.0.1:PORT and got 30 of 60 requests."""
    proxy = sandbox.haproxy([web(healthy, path, slot=slot)])
    assert proxy.check()[0] == 0
    foreign_file(proxy, section, lambda name: [
        "load-server-state-from-file local", f"server-state-file-name {name}"])
    if slot == SLOT:
        drop(proxy, "load-server-state-from-file global")
    status, text = proxy.check()
    assert status != 0 and "a file that is not the agent's" in text
    [worker] = proxy.workers()
    proxy.process.send(signal.SIGUSR2)
    proxy.process.says("a file that is not the agent's")
    assert int(proxy.info()["Pid"]) == worker


def test_another_state_file_for_all_is_refused_at_load(
        sandbox, healthy, path):
    proxy = sandbox.haproxy([web(healthy, path)], start=False)
    with open(proxy.file) as file:
        text = file.read()
    with open(proxy.file, "w") as file:
        file.write(text.replace("${SYNAPSE_SERVERS-none}", "/var/lib/states"))
    status, said = proxy.check()
    assert status != 0 and "a file that is not the agent's" in said


def test_slots_of_which_haproxy_restores_but_the_port_are_refused_at_load(
        sandbox, healthy, path):
    """HAProxy keeps an address that the line has: it would make 127.0.0.1:80
    of 10.0.0.1:80 and send requests there."""
    proxy = sandbox.haproxy([web(
        healthy, path, slot=PLAIN_SLOT,
        lines=["load-server-state-from-file global"])], start=False)
    status, said = proxy.check()
    assert status != 0 and "restores only the port" in said


def test_a_server_that_was_a_slot_is_no_slot(
        sandbox, healthy, witness, path):
    """It has the address that HAProxy was to restore, and it is the
    operator's all the same."""
    one = sandbox.service("one")
    proxy = sandbox.haproxy([web(healthy, path, slots=2)])
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    proxy.remembers([one])
    [slot] = [name for name, row in proxy.servers().items()
              if row["addr"] == one.address]
    proxy.backends[0].slots = 0
    other = {"s1": "s2", "s2": "s1"}[slot]
    proxy.backends[0].lines = [f"server {slot} {one.address} check",
                               f"server {other} {SLOT} check disabled"]
    proxy.write()
    proxy.reload()
    proxy.process.says(f"{slot} has an address of its own")
    wait.until(lambda: proxy.serving() == [one.address, one.address], 10,
               "the instance is in the slot that is left")
    assert proxy.servers()[other]["addr"] == one.address


def drop(proxy, line):
    with open(proxy.file) as file:
        text = file.read()
    with open(proxy.file, "w") as file:
        file.write(text.replace(f"\n  {line}\n", "\n", 1))


def rows(proxy):
    """The columns of `show servers state` of the slots in use."""
    lines = [line.split() for line
             in proxy.ask("show servers state web").splitlines()]
    return [line for line in lines if len(line) > 20 and
            line[0] != "#" and line[18] != "1"]


def states(proxy):
    return [row[5] for row in rows(proxy)]


def changed(proxy):
    """Since when each is as it is, in seconds."""
    return [int(row[9]) for row in rows(proxy)]
