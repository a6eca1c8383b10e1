"""Whatever a ZooKeeper server answers, the cause is shown in each place where
an operator looks: nerve ctl status, nerve's /health, show synapse, the page
and the log."""

import json

import pytest

import wait
from ctl import controlled, done
from haproxy import web
from metrics import Pages
from nerve import watched
from status import Status
from wire import Wire

# What servers answer, and the words that explain it to an operator.
ANSWERS = {
    -1: "an error inside the server", -6: "unimplemented", -102: "not authenticated",
    -114: "invalid acl", -118: "session moved", -119: "read-only server",
    -125: "the quota of the path is exceeded",
    -127: "the server is overloaded and throttles requests",
    -999: "the server answers code -999",
}


@pytest.fixture
def wire(sandbox, healthy):
    return Wire(sandbox, healthy)


class Places:
    """Both programs on one connection to ZooKeeper, and the places where an
    operator looks."""

    def __init__(self, sandbox, wire, path):
        self.pages = Pages()
        one = sandbox.service("one")
        self.nerve = sandbox.nerve(
            "one", {"web": watched(one, wire, path)},
            metrics_listen=self.pages.listen, **controlled(sandbox, "one"))
        self.proxy = sandbox.haproxy([web(wire, path)], status=True)
        self.status = Status(self.proxy)

    def of_nerve(self):
        """Returns the text of each of nerve's places."""
        return {"ctl": done(self.nerve, "status"),
                "health": self.pages.ask("/health")[1]}

    def of_agent(self):
        return {"cli": self.proxy.ask("show synapse"),
                "page": json.dumps(self.status.json("/status.json"))}

    def all_say(self, words):
        for places in (self.of_nerve, self.of_agent):
            wait.until(lambda: all(words in text.lower()
                                   for text in places().values()),
                       20, f"{words} in {places.__name__}")


@pytest.mark.parametrize("code", ANSWERS)
def test_a_refusal_is_told_with_its_cause_everywhere(
        code, sandbox, healthy, witness, wire, path):
    """ZooKeeper had refused a request, and the log had its reason. The other
    places said only "being changed" or "being read"."""
    witness.ensure_path(path)
    wire.refused = {"create": code, "list": code}
    places = Places(sandbox, wire, path)
    places.all_say(ANSWERS[code])
    for process in (places.nerve.process, places.proxy.process):
        process.says(ANSWERS[code])


def test_a_server_that_lets_nobody_in_is_told_with_its_cause(sandbox, path):
    """The log had the reason why a server accepted no session. The other
    places said only "no connection". The dump for a bug report had the
    servers' addresses."""
    server = sandbox.zookeeper()
    places = Places(sandbox, server, path)
    wait.until(lambda: "ok" in places.pages.ask("/health")[1], 20, "all is well")
    server.stop()
    places.all_say("connection refused")
    dump = places.proxy.ask("show synapse dump")
    assert "ZooKeeper: the servers stay" in dump
    assert str(server.port) not in dump
    server.start()
    for places_of in (places.of_nerve, places.of_agent):
        wait.until(lambda: "refused" not in "".join(places_of().values()), 20,
                   "it is forgotten")
