"""An operator changes servers by hand, and commands get lost."""

import re

import pytest

import wait
from haproxy import web, weighted
from zookeeper import register

# How often the agent compares HAProxy's state with what it wants.
COMPARE = 30


class Site:
    """Two instances with weights behind one HAProxy."""

    def __init__(self, sandbox, healthy, witness, path):
        self.client = witness
        self.one, self.two = sandbox.service("one"), sandbox.service("two")
        self.nodes = [register(witness, path, it.payload(it.name, weight=2))
                      for it in (self.one, self.two)]
        self.proxy = sandbox.haproxy([weighted(healthy, path)])
        self.proxy.serves([self.one, self.two])
        self.slot = self.proxy.slots()[self.one.address]

    def set(self, words):
        """Gives the operator's command for the first instance's slot."""
        assert self.proxy.ask(f"set server web/{self.slot} {words}") == "\n"

    def status(self):
        return self.proxy.servers()[self.slot]["status"]

    def remembers(self, state):
        """Waits until the snapshot has this operator state, or none for None.
        A reload may come before it is written."""
        self.proxy.remembers([self.one, self.two])
        def held():
            with open(self.proxy.snapshot) as file:
                return re.findall(r'"hold":"(\w+)"', file.read())
        wait.until(lambda: held() == [state] * (state is not None), 10,
                   f"the snapshot has the hold: {state}")


@pytest.mark.parametrize("state", ["maint", "drain"])
def test_an_operators_hold_stays_through_weights_comparisons_and_reloads(
        state, sandbox, healthy, witness, path):
    site = Site(sandbox, healthy, witness, path)
    with sandbox.load(site.proxy, f"operator's {state}") as load:
        site.set(f"state {state}")
        assert site.status().startswith(state.upper())
        site.proxy.process.says(f"{site.one.address}.*{state}.*operator",
                                COMPARE + 10)
        site.remembers(state)
        witness.set(site.nodes[0], site.one.payload("one", weight=7))
        witness.set(site.nodes[1], site.two.payload("two", weight=7))
        wait.until(lambda: site.proxy.servers()[
            site.proxy.slots()[site.two.address]]["weight"] == "7", 10,
            "the weight arrives")
        assert site.status().startswith(state.upper())
        for _ in range(2):
            site.proxy.reload()
            assert site.status().startswith(state.upper())
            assert site.proxy.serving() == [site.two.address]
        wait.until(lambda: site.proxy.process.lines(
            "^synapse: session .*connected")[2:], 10,
            "the new worker's agent is connected")
        wait.always(lambda: site.status().startswith(state.upper()), 2,
                    "the hold stays")
        site.set("state ready")
        site.proxy.serves([site.one, site.two])
    load.assert_none_failed()


def test_a_hold_that_an_operator_took_back_does_not_return(
        sandbox, healthy, witness, path):
    site = Site(sandbox, healthy, witness, path)
    site.set("state maint")
    site.proxy.process.says("-> maint by an operator", COMPARE + 10)
    site.remembers("maint")
    site.set("state ready")
    site.proxy.process.says("-> ready by an operator", COMPARE + 10)
    site.remembers(None)
    site.proxy.reload()
    site.proxy.serves([site.one, site.two])


def test_what_others_changed_is_repaired_within_the_time_of_a_comparison(
        sandbox, healthy, witness, path):
    site = Site(sandbox, healthy, witness, path)
    empty = next(name for name, row in site.proxy.servers().items()
                 if row["status"].startswith("MAINT"))
    site.proxy.ask(f"set server web/{site.slot} addr 127.0.0.1 port 9")
    site.set("weight 200")
    site.proxy.ask(f"set server web/{empty} state ready")
    wait.until(lambda: site.proxy.weights() ==
               {site.one.address: 2, site.two.address: 2}, COMPARE + 10,
               "all is as before")
    assert site.proxy.servers()[empty]["status"].startswith("MAINT")
    site.proxy.serves([site.one, site.two])


def test_a_slot_that_an_instance_in_maint_left_serves_others_but_not_that_one(
        sandbox, healthy, witness, path):
    """An operator's maint belongs to the address: another instance in the slot
    serves, and the instance in maint is in maint again when it comes back."""
    site = Site(sandbox, healthy, witness, path)
    site.set("state maint")
    site.proxy.process.says("-> maint by an operator", COMPARE + 10)
    witness.delete(site.nodes[0])
    wait.until(lambda: site.one.address not in site.proxy.weights(), 10,
               "it is gone")
    site.proxy.process.says("web: .*1 instance", 10)
    three = sandbox.service("three")
    register(witness, path, three.payload("three", weight=2))
    site.proxy.serves([site.two, three])
    register(witness, path, site.one.payload("one", weight=2))
    site.proxy.process.says(f"web: 1 instance added .*{site.one.address}", 10)
    others = sorted([site.two.address, three.address])
    wait.always(lambda: sorted(site.proxy.serving()) == others, 2,
                "it stays in maint")


def test_a_hold_is_noticed_after_a_change_that_brought_no_server_into_traffic(
        sandbox, healthy, witness, path):
    """The agent counted the usable servers again only after commands that it
    had more to send for. It noticed the second hold after 26 s."""
    one, two, three = map(sandbox.service, ("one", "two", "three"))
    proxy = sandbox.haproxy([web(healthy, path, server="", slots=2)])
    nodes = [register(witness, path, it.payload(it.name)) for it in (one, two)]
    proxy.serves([one, two])
    proxy.remembers([one, two])
    hold(proxy, one, holds=1)
    witness.delete(nodes[0])
    proxy.process.says("1 instance removed")
    register(witness, path, three.payload("three"))
    proxy.serves([two, three])
    witness.delete(nodes[1])
    proxy.serves([three])
    register(witness, path, one.payload("one"))
    proxy.remembers([one, three])
    hold(proxy, three, holds=2)


def test_a_hold_is_noticed_within_the_millisecond_of_a_change_of_the_agent(
        sandbox, healthy, witness, path):
    """The number of usable servers after the agent's own commands was taken as
    it was. So a hold that came just before the agent counted was noticed by
    the comparison of 30 s. Each hold of many falls into another moment."""
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path, server="")])
    register(witness, path, one.payload("one"))
    proxy.serves([one])
    proxy.remembers([one])
    for holds in range(1, 21):
        node = register(witness, path, two.payload("two"))
        proxy.serves([one, two])
        slot = proxy.slots()[one.address]
        hold(proxy, one, holds)
        witness.delete(node)
        proxy.ask(f"set server web/{slot} state ready")
        proxy.serves([one])
        notices(proxy, "maint -> ready", holds)


def hold(proxy, service, holds):
    """An operator sets a server to maint. Waits until the agent has noticed so
    many holds."""
    slot = proxy.slots()[service.address]
    assert proxy.ask(f"set server web/{slot} state maint") == "\n"
    notices(proxy, "ready -> maint", holds)


def notices(proxy, change, times):
    """Waits until the agent has noticed so many changes by operators."""
    wait.until(lambda: len(proxy.process.lines(
        f"^synapse: .*{change} by an operator")) == times, COMPARE / 3,
        f"{change} noticed {times} times")
