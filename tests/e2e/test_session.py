"""Sessions of the zookeeper module, with faults of the server, of the client
and of the network between them."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess

import pytest
from kazoo.security import make_digest_acl

import address
import lua
import program
import wait
from proxy import Proxy
from zookeeper import TICK

TIMEOUT = 2
PATH = "/mine"
FROZEN = TIMEOUT + 3 * TICK


# No other process has this user id: it would count towards the limit, and an
# exec would fail.
NOBODY = 100_000 + os.getpid()
VALGRIND = ["valgrind", "--quiet", "--error-exitcode=9",
            "--keep-debuginfo=yes",
            f"--suppressions={lua.own('valgrind.supp')}",
            "--leak-check=full", "--errors-for-leak-kinds=definite"]


def as_nobody():
    """For subprocess: limits bind every user but root."""
    return {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}


def shown(sandbox, *files):
    """Copies files to a directory that every user can read, because a clone
    may be in root's home. Returns the directory."""
    os.chmod(sandbox.directory, 0o711)
    directory = sandbox.path("shown")
    os.mkdir(directory)
    for file in files:
        shutil.copy(file, directory)
    return directory


class Kept:
    """A running keep.lua, and the znode that it keeps."""

    def __init__(self, sandbox, server):
        self.process = lua.start(sandbox, lua.own("keep.lua"), server.hosts,
                                 PATH, TIMEOUT)
        self.process.says(r"get\tok", 20)
        self.births = [self.birth(server)]

    def sessions(self):
        """Returns (state, link, id) of each session event."""
        return [tuple(line.split("\t"))
                for line in self.process.lines(r"\t.*\t")]

    def connected(self):
        return [it for it in self.sessions() if it[0] == "connected"]

    def held(self, what):
        """Returns how many threads ("task") or descriptors ("fd") it has."""
        return len(os.listdir(f"/proc/{self.process.pid}/{what}"))

    @staticmethod
    def birth(server):
        """Returns czxid and owner of the znode, or None, read by another
        client."""
        client = server.client()
        stat = client.exists(PATH)
        client.stop()
        client.close()
        return stat and (stat.czxid, stat.ephemeralOwner)

    def reconnects(self, times=1):
        count = len(self.connected())
        return lambda: len(self.connected()) >= count + times

    def sees_changes(self, server):
        """Asserts that the watch reports another client's change."""
        client = server.client()
        client.set(PATH, b"changed")
        client.stop()
        self.process.says(r"watch\tdata")


@pytest.fixture
def server(sandbox):
    return sandbox.zookeeper()


@pytest.fixture
def kept(sandbox, server):
    return Kept(sandbox, server)


def test_a_frozen_zookeeper_costs_no_session_and_no_znode(kept, server):
    """The server itself would notice only a longer freeze."""
    again = kept.reconnects()
    identity = kept.connected()[-1][2]
    server.freeze()
    kept.process.says("^connecting", TIMEOUT + 5)
    server.thaw()
    wait.until(again, 20, "connected again")
    assert kept.connected()[-1] == ("connected", "same_handle", identity)
    assert kept.birth(server) == kept.births[0]
    kept.sees_changes(server)


def test_a_zookeeper_frozen_for_longer_than_the_timeout_registers_once(
        kept, server):
    """A thawed server may find the session expired before it reads what its
    client has sent. In both cases there is one znode, of a living session."""
    again = kept.reconnects()
    identity = kept.connected()[-1][2]
    server.freeze()
    kept.process.says("^unknown", TIMEOUT * 3)
    server.thaw()
    wait.until(again, 20, "connected again")
    wait.until(lambda: kept.birth(server), 20, "the znode is there")
    same = kept.connected()[-1][2] == identity
    assert same == (kept.birth(server) == kept.births[0])
    assert kept.connected()[-1][1] == "new_session" or same
    wait.always(lambda: kept.birth(server), FROZEN, "the znode stays")
    kept.sees_changes(server)


@pytest.mark.parametrize("state", ["connecting", "unknown"])
def test_a_restarted_zookeeper_finds_the_same_session_and_znode(
        state, kept, server):
    again = kept.reconnects()
    identity = kept.connected()[-1][2]
    server.stop()
    kept.process.says(f"^{state}", TIMEOUT * 3)
    server.start()
    wait.until(again, 20, "connected again")
    # The client also gives up a session that every server has rejected three
    # times.
    _, link, same = kept.connected()[-1]
    silent = "unknown" in [it[0] for it in kept.sessions()]
    assert same == identity
    assert link == "new_handle" or link == "same_handle" and not silent
    assert kept.birth(server) == kept.births[0]
    assert not [it for it in kept.sessions() if it[0] == "expired"]
    kept.sees_changes(server)


def test_an_outage_of_many_timeouts_that_lost_the_data_delays_no_new_session(
        kept, server):
    """Each handle that was replaced during the outage had doubled a back-off.
    None of them leaves a thread or a descriptor behind."""
    again = kept.reconnects()
    threads, descriptors = kept.held("task"), kept.held("fd")
    server.stop()
    server.wipe()
    kept.process.says("^unknown", TIMEOUT * 3)
    wait.always(kept.process.alive, 3 * TIMEOUT, "it waits")
    server.start()
    wait.until(again, TIMEOUT + 2, "connected again")
    assert kept.sessions()[-2][0] == "expired"
    assert kept.connected()[-1][1] == "new_session"
    wait.until(lambda: kept.birth(server), 10, "the znode is there")
    kept.sees_changes(server)
    wait.until(lambda: (kept.held("task"), kept.held("fd")) ==
               (threads, descriptors), 10, "nothing is left behind")


def test_a_client_frozen_for_longer_than_the_timeout_gets_a_new_session(
        kept, server):
    again = kept.reconnects()
    identity = kept.connected()[-1][2]
    kept.process.freeze()
    wait.until(lambda: not kept.birth(server), FROZEN + 10, "expired")
    kept.process.thaw()
    wait.until(again, 20, "connected again")
    assert kept.sessions()[-2][0] == "expired"
    assert kept.connected()[-1][1] == "new_session"
    assert kept.connected()[-1][2] != identity
    wait.until(lambda: kept.birth(server), 10, "the znode is there")
    assert kept.birth(server)[0] != kept.births[0][0]


def test_servers_that_accept_and_never_answer_hide_no_healthy_one(
        sandbox, healthy):
    hung = [socket.create_server((address.HOST, address.port()))
            for _ in range(3)]
    hosts = ["%s:%d" % it.getsockname() for it in hung] + [healthy.hosts]
    process = lua.start(sandbox, lua.own("states.lua"), ",".join(hosts), 2)
    process.says("^connected\tnew_session", 20)
    for it in hung:
        it.close()


def test_closing_a_session_of_a_hung_server_blocks_nothing(
        sandbox, server, healthy):
    go = sandbox.path("go")
    process = lua.start(sandbox, lua.own("hung.lua"), server.hosts,
                        healthy.hosts, go)
    process.says("ready", 20)
    server.freeze()
    open(go, "w").close()
    line = process.says("longest", 20)
    longest, replies = re.search(r"([\d.]+) s, (\d+)", line).groups()
    assert float(longest) < 0.5, line
    assert int(replies) > 20, line
    assert process.ended(20) == 0


def test_5000_requests_are_answered_once_and_in_order_through_a_reconnect(
        sandbox, healthy):
    proxy = Proxy(address.HOST, healthy.port, cut_after=40000)
    text = lua.run(sandbox, lua.own("many.lua"), proxy.hosts, 5000)
    proxy.close()
    answered, lost, reconnects = map(int, re.findall(r"\d+", text))
    assert answered == 5000
    assert lost > 0
    assert reconnects == 1


def test_valgrind_is_quiet_through_a_reconnect(sandbox, healthy):
    proxy = Proxy(address.HOST, healthy.port, cut_after=20000)
    text = lua.run(sandbox, lua.own("many.lua"), proxy.hosts, 2000,
                   seconds=240, tool=VALGRIND)
    proxy.close()
    assert re.fullmatch(r"answered 2000 lost \d+ reconnects 1\n", text)


def test_a_handle_with_more_watches_than_fit_a_packet_is_replaced(
        sandbox, healthy, witness, path):
    """The library restores all watches in one request. A server refuses a
    request of a megabyte, and the client then connects again, for ever."""
    proxy = Proxy(address.HOST, healthy.port, cut_after=1 << 30)
    process = lua.start(sandbox, lua.own("watches.lua"), proxy.hosts, 16000,
                        path)
    process.says("watching", 60)
    proxy.cut()
    losses = process.says("losses", 20)
    assert int(losses.split()[1]) >= 5
    assert len(set(line.split("\t")[2] for line in
                   process.lines("^connected"))) == 1
    witness.create(path, makepath=True)
    assert process.ended(20) == 0
    proxy.close()


def test_closing_works_in_every_order(sandbox, healthy):
    directory = sandbox.path("files")
    os.mkdir(directory)
    assert lua.run(sandbox, lua.own("close_orders.lua"), healthy.hosts,
                   directory) == "done\n"
    assert os.listdir(directory) == ["file"]


def test_valgrind_is_quiet_whatever_the_order_of_closing(sandbox, healthy):
    directory = sandbox.path("files")
    os.mkdir(directory)
    text = lua.run(
        sandbox, lua.own("close_orders.lua"), healthy.hosts, directory,
        seconds=240, tool=VALGRIND)
    assert text == "done\n"


def test_a_file_without_room_leaves_the_old_one_and_links_are_refused(
        sandbox):
    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    directory = sandbox.path("files")
    os.mkdir(directory)
    os.symlink("snapshot", f"{directory}/link")
    process = sandbox.run("files", [program.LUA, lua.own("files.lua"),
                                    directory],
                          env=lua.environment(), limit=small_files)
    assert process.ended(20) == 0, process.text()
    assert sorted(os.listdir(directory)) == ["link", "snapshot"]
    assert os.stat(f"{directory}/snapshot").st_mode & 0o777 == 0o600


def test_log_lines_are_limited_and_none_reaches_stderr(sandbox):
    text = lua.run(sandbox, lua.own("logs.lua"), f"{address.HOST}:1", 6)
    lines = int(re.fullmatch(r"lines (\d+) dropped \d+\n", text).group(1))
    assert 5 <= lines <= 20 + 2 * 7


def test_without_threads_it_waits_and_connects_once_there_are_some(
        sandbox, healthy):
    """As in HAProxy's worker without insecure-fork-wanted. The client library
    alone would abort."""
    def no_threads():
        resource.setrlimit(resource.RLIMIT_NPROC,
                           (0, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    here = shown(sandbox, program.MODULE, lua.own("drive.lua"),
                 lua.own("threads.lua"))
    process = sandbox.run(
        "threads", [program.LUA, f"{here}/threads.lua", healthy.hosts],
        env={**os.environ, "LUA_CPATH": f"{here}/?.so",
             "LUA_PATH": f"{here}/?.lua"}, limit=no_threads)
    process.says("^no_threads")
    wait.always(process.alive, 1.5, "it waits")
    subprocess.run(["prlimit", f"--pid={process.pid}", "--nproc=200:"],
                   check=True, **as_nobody())
    process.says("^connected")
    assert process.ended(20) == 0


def test_credentials_that_came_while_it_was_away_are_shown(sandbox, server):
    client = server.client()
    client.create("/secret", b"gold", [make_digest_acl("me", "secret",
                                                       all=True)])
    client.stop()
    process = lua.start(sandbox, lua.own("secret.lua"), server.hosts,
                        "/secret")
    process.says(r"get\tnot authenticated", 20)
    server.stop()
    process.says("^connecting")
    server.start()
    process.says("get\tgold", 20)
    server.stop()
    process.says("^unknown", TIMEOUT * 3)
    server.start()
    lua.says_in_order(process, ["connected\tnew_handle", "get\tgold"])


def test_the_program_of_the_manual_lists_children(sandbox, healthy):
    with open(f"{program.ROOT}/csrc/README.md") as manual:
        [text] = re.findall(r"(?sm)^    local zookeeper = .*?^    client:close"
                            r"\(\)$", manual.read())
    text = text.replace("127.0.0.1:2181", healthy.hosts)
    file = sandbox.write("manual.lua", text)
    assert "zookeeper" in lua.run(sandbox, file, seconds=20).split()
