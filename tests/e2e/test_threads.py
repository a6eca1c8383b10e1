"""The threads of the module and of HAProxy: a worker that may not start
threads (without `insecure-fork-wanted`), and how the agent's task is woken."""

import os

import program
import wait
from chain import Site
from haproxy import web
from lua import PROGRAMS
from nerve import SESSION_TIMEOUT
from zookeeper import register


def test_without_threads_haproxy_alerts_once_and_serves_from_the_snapshot(
        sandbox, path):
    site = Site(sandbox, path)
    site.proxy.stop()
    site.proxy.write(threads=False)
    site.proxy.start()
    workers = site.proxy.workers()
    with sandbox.load(site.proxy, "no threads") as load:
        site.proxy.process.says("insecure-fork-wanted")
        wait.always(lambda: site.proxy.workers() == workers,
                    SESSION_TIMEOUT + 1, "the worker lives on")
        site.proxy.serves(site.services)
    load.assert_none_failed()
    # HAProxy prints what it logs on standard error once more, with a prefix.
    assert len(site.proxy.process.lines("^synapse: .*insecure-fork")) == 1


def test_without_threads_and_snapshot_haproxy_still_runs(
        sandbox, healthy, path):
    proxy = sandbox.haproxy([web(healthy, path)],
                            threads=False)
    proxy.process.says("insecure-fork-wanted")
    assert proxy.get()[0] == 503


def test_the_directive_added_and_reloaded_the_agent_works(
        sandbox, healthy, witness, path):
    one = sandbox.service("one")
    register(witness, path, one.payload("one"))
    proxy = sandbox.haproxy([web(healthy, path)],
                            threads=False)
    proxy.process.says("insecure-fork-wanted")
    proxy.write(threads=True)
    proxy.reload()
    proxy.serves([one])


# Each event wrote a byte, so the task found another byte after each turn and
# ran again at once. No other work of its thread had a turn between.
def test_a_task_that_was_woken_gets_no_second_byte_until_it_looks(
        sandbox, healthy, path):
    module = os.path.join(os.path.dirname(program.MODULE), "?.so")
    proxy = sandbox.haproxy(
        [web(healthy, path)],
        extra=[f"setenv MODULES {module}", f"lua-load {PROGRAMS}/wakes.lua"])
    proxy.process.says("wakes: 1 more", 20)
