"""The zookeeper module in plain Lua programs."""

import os
import re
import subprocess

import pytest

import lua
import program
import wait
from nerve import SESSION_TIMEOUT
from zookeeper import children


def test_the_module_exports_one_symbol():
    done = subprocess.run(["nm", "-D", "--defined-only", program.MODULE],
                          capture_output=True, text=True, check=True)
    assert re.findall(r" [A-Z] (\S+)", done.stdout) == ["luaopen_zookeeper"]


def test_requiring_the_module_touches_no_global(sandbox):
    file = sandbox.write("globals.lua", """
        local before = {}
        for name, value in pairs(_G) do before[name] = value end
        local module = require("zookeeper")
        for name, value in pairs(_G) do
          assert(before[name] == value, name)
        end
        for name, value in pairs(before) do
          assert(_G[name] == value, name)
        end
        print(module.version)
    """)
    with open(f"{program.ROOT}/VERSION") as version:
        assert lua.run(sandbox, file) == version.read()


@pytest.fixture(scope="module")
def other():
    """Returns the version of Lua that HAProxy does not have. The module for it
    is built."""
    [version] = {"5.3", "5.4"} - {program.LUA_VERSION}
    make(version, "all")
    return version


def make(version, *what):
    done = subprocess.run(["make", "-s", f"LUA={version}", *what], text=True,
                          cwd=program.ROOT, capture_output=True, check=False,
                          timeout=300 * wait.FACTOR)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_module_of_another_lua_names_both_versions_and_the_remedy(
        sandbox, other):
    """The module failed at the first symbol that the other Lua does not
    have."""
    file = sandbox.write("wrong.lua",
                         'print(select(2, pcall(require, "zookeeper")))')
    folder = os.path.join(program.BUILD, f"lua{other}")
    process = sandbox.run("wrong", [program.LUA, file], env={
        **os.environ, "LUA_CPATH": f"{folder}/?.so"})
    assert process.ended(20) == 0
    assert process.text().splitlines()[0].startswith(
        f"this program has Lua {program.LUA_VERSION}, but this zookeeper.so is"
        f" for Lua {other}: install the one of make LUA={program.LUA_VERSION}")


def test_an_agent_installed_for_another_lua_says_so_in_one_line(
        sandbox, other):
    """HAProxy printed the eight places in which it had looked."""
    make(other, "install", f"DESTDIR={sandbox.path('target')}")
    agent = sandbox.path("target/usr/local/share/myelin/synapse.lua")
    file = sandbox.write("haproxy.cfg", f"global\n  lua-load {agent}\n")
    done = subprocess.run(["haproxy", "-c", "-f", file], text=True,
                          capture_output=True, check=False,
                          timeout=20 * wait.FACTOR)
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if "Lua 5" in line]
    assert f"this HAProxy has Lua {program.LUA_VERSION}, but " in line
    assert f"lib/lua/{other}/zookeeper.so is for Lua {other}: " in line
    assert line.endswith(f"make LUA={program.LUA_VERSION} install")


def test_newer_lua_files_beside_an_older_module_are_refused_at_load(sandbox):
    """HAProxy loaded them, and the agent's task failed again and again at the
    first function that the module did not have."""
    make(program.LUA_VERSION, "install", f"DESTDIR={sandbox.path('target')}")
    prefix = sandbox.path("target/usr/local")
    with open(f"{prefix}/share/lua/{program.LUA_VERSION}/synapse/c_module.lua",
              "r+") as file:
        text = file.read()
        [number] = re.findall(r"^local INTERFACE = (\d+)$", text, re.M)
        newer = int(number) + 1
        file.seek(0)
        file.write(text.replace(f"INTERFACE = {number}", f"INTERFACE = {newer}"))
    file = sandbox.write("haproxy.cfg", "global\n  lua-load "
                         f"{prefix}/share/myelin/synapse.lua\n")
    done = subprocess.run(["haproxy", "-c", "-f", file], text=True,
                          capture_output=True, check=False,
                          timeout=20 * wait.FACTOR)
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if "interface" in line]
    assert f"zookeeper.so has interface {number} (version " in line
    assert line.endswith(f"the Lua files have interface {newer}: install both "
                         "from one release, or run `make && make install`")


def test_every_request_is_answered_as_documented(sandbox, healthy, path):
    assert lua.run(sandbox, lua.own("requests.lua"), healthy.hosts,
                   "/module-requests").endswith("done\n")


def test_lists_of_children_tell_what_differs(sandbox, healthy):
    assert lua.run(sandbox, lua.own("names.lua"), healthy.hosts,
                   "/module-names").endswith("done\n")


def test_closing_twice_is_harmless_and_use_afterwards_raises(
        sandbox, healthy):
    assert lua.run(sandbox, lua.own("closed.lua"),
                   healthy.hosts).endswith("done\n")


def test_the_ls_example_lists_and_fails_with_a_message(
        sandbox, healthy, witness, path):
    for name in "b", "a", "c":
        witness.create(f"{path}/{name}", makepath=True)
    assert lua.run(sandbox, lua.example("ls.lua"), healthy.hosts,
                   path) == "a\nb\nc\n"
    process = lua.start(sandbox, lua.example("ls.lua"), healthy.hosts,
                        path + "/missing")
    assert process.ended(20) == 1
    assert process.lines("missing: no node")


def test_the_watch_example_follows_through_a_restart_of_zookeeper(
        sandbox, path):
    server = sandbox.zookeeper()
    client = server.client()
    process = lua.start(sandbox, lua.example("watch.lua"), server.hosts, path)
    process.says("session connected")
    client.create(f"{path}/a", makepath=True)
    process.says(r"^\+ a")
    server.stop()
    process.says("session connecting")
    server.start()
    wait.until(lambda: client.connected, 20, "kazoo is connected")
    client.delete(f"{path}/a")
    client.create(f"{path}/b")
    lua.says_in_order(process, ["+ a", "- a"])
    process.says(r"^\+ b")


def test_the_register_example_keeps_its_znode_and_takes_it_along(
        sandbox, healthy, witness, path):
    witness.ensure_path(path)
    process = lua.start(sandbox, lua.example("register.lua"), healthy.hosts,
                        f"{path}/one_", "data", int(5 * wait.FACTOR))
    [name] = wait.until(lambda: children(witness, path), 10, "registered")
    assert witness.get(f"{path}/{name}")[0] == b"data"
    witness.delete(f"{path}/{name}")
    wait.until(lambda: children(witness, path) not in ([], [name]), 4,
               "registered again")
    assert process.ended(15) == 0
    assert children(witness, path) == []


def states(process):
    """Returns what states.lua has printed: (state, link, id)."""
    return [tuple(line.split("\t")) for line in process.lines("\t")]


def session_of(sandbox, server):
    process = lua.start(sandbox, lua.own("states.lua"), server.hosts,
                        SESSION_TIMEOUT)
    process.says("connected\tnew_session")
    return process, states(process)[-1][2]


def test_a_wiped_zookeeper_ends_the_session_and_a_new_one_follows(sandbox):
    """A wiped server rejects a client that has seen a later transaction. Only
    a new handle with the same session learns that the session has expired."""
    server = sandbox.zookeeper()
    client = server.client()
    for number in range(20):
        client.create(f"/{number}")
    process, identity = session_of(sandbox, server)
    server.close()
    server.stop()
    server.wipe()
    server.start()
    lua.says_in_order(process, ["connected", "expired", "connected"],
                      SESSION_TIMEOUT + 20)
    assert states(process)[-1][2] != identity


def test_every_request_is_answered_once_whatever_happens_to_zookeeper(
        sandbox):
    server = sandbox.zookeeper()
    process = lua.start(sandbox, lua.own("flood.lua"), server.hosts, "/",
                        SESSION_TIMEOUT + 8)
    process.says("connected")
    server.stop()
    process.says("unknown", SESSION_TIMEOUT + 10)
    server.start()
    server.freeze()
    wait.always(process.alive, 1, "it waits")
    server.thaw()
    assert process.ended(60) == 0, process.text()
    asked, lost = map(int, re.search(r"asked (\d+) lost (\d+)",
                                     process.text()).groups())
    assert asked > 1000
    assert 0 < lost < asked


@pytest.mark.parametrize("hosts", ["127.0.0.1:1", "[::1]:1"])
def test_an_ensemble_that_does_not_answer_is_waited_for(hosts, sandbox):
    process = lua.start(sandbox, lua.own("states.lua"), hosts, 1)
    process.says("^unknown", 15)
    assert process.alive()


def test_valgrind_is_quiet_under_churn(sandbox, healthy, witness, path):
    witness.ensure_path(path)
    text = lua.run(
        sandbox, lua.own("churn.lua"), healthy.hosts, path, 12, seconds=240,
        tool=["valgrind", "--quiet", "--error-exitcode=9",
              "--keep-debuginfo=yes",
              f"--suppressions={lua.own('valgrind.supp')}",
              "--leak-check=full", "--errors-for-leak-kinds=definite"])
    assert text.endswith("done\n")
    assert "==" not in text, text
