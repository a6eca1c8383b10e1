"""The connection breaks after ZooKeeper has done what nerve asked for, and
before nerve gets the answer."""

import wait
from broken_line import BrokenLine
from nerve import SESSION_TIMEOUT, watched
from zookeeper import TICK, births, children, registrations


class Lost:
    """A nerve whose connection to ZooKeeper breaks once it has sent `trigger`
    and `happened()` is true."""

    def __init__(self, sandbox, server, path, trigger, happened):
        self.line = BrokenLine(sandbox, server, trigger, happened)
        self.service = sandbox.service("one", health="down")
        self.nerve = sandbox.nerve("one", {
            "web": watched(self.service, self.line, path)})
        self.nerve.process.says("connected, new session")

    def payload(self):
        return self.service.payload("one")


def test_a_registration_whose_answer_was_lost_is_not_made_twice(
        sandbox, healthy, witness, path):
    witness.ensure_path(path)
    lost = Lost(sandbox, healthy, path, b'{"host":',
                lambda: children(witness, path))
    lost.service.set_health("up")
    lost.nerve.process.says("found the registration .* again")
    assert lost.line.broken.is_set()
    before = births(witness, path)
    wait.always(lambda: registrations(witness, path) == [lost.payload()] and
                births(witness, path) == before, SESSION_TIMEOUT + 2 * TICK,
                "it is registered once, as it was")
    lost.service.set_health("down")
    wait.until(lambda: not children(witness, path), 5, "it is gone")


def test_a_service_that_fell_while_the_answer_was_lost_is_not_left_behind(
        sandbox, healthy, witness, path):
    witness.ensure_path(path)
    lost = Lost(sandbox, healthy, path, b'{"host":',
                lambda: falls(lost, witness, path))
    lost.service.set_health("up")
    assert lost.line.broken.wait(20 * wait.FACTOR)
    lost.nerve.process.says(r"up -> down")
    wait.until(lambda: not children(witness, path), 5, "it is gone")
    wait.always(lambda: not children(witness, path), 1, "it stays so")


def falls(lost, witness, path):
    if not children(witness, path):
        return False
    lost.service.set_health("down")
    return True


def test_a_lost_answer_to_a_removal_is_not_anothers_doing(
        sandbox, healthy, witness, path):
    witness.ensure_path(path)
    lost = Lost(sandbox, healthy, path, b"/one_00000",
                lambda: not children(witness, path))
    lost.line.broken.set()  # not yet: its own watch names the znode as well
    lost.service.set_health("up")
    wait.until(lambda: children(witness, path), 10, "it is registered")
    lost.nerve.process.says("registered as")
    lost.line.broken.clear()
    lost.service.set_health("down")
    assert lost.line.broken.wait(20 * wait.FACTOR)
    lost.nerve.process.says("registration .* removed")
    assert not lost.nerve.process.lines("was deleted")
    lost.service.set_health("up")
    wait.until(lambda: registrations(witness, path) == [lost.payload()], 5,
               "it is registered again")
