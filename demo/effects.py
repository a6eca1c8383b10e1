"""Waits for the effect of an act and says how long it took."""

import acts
import wait
from haproxy import HAProxy
from machines import SERVICE_PORT, machine
from zookeeper import ZooKeeper

SECONDS = 60


def arrives(stack, target, way, watcher):
    """Waits until `target` is `in` or `out`. A service's machine is in while
    `watcher`'s HAProxy sends it requests, a ZooKeeper's while it serves
    clients. Returns a sentence with the time that it took."""
    if "zookeeper" in target.pieces:
        server = ZooKeeper(stack, target)
        where, inside = "the ensemble", lambda: bool(server.mode())
    else:
        proxy = HAProxy(stack, machine(watcher))
        address = stack.at(target, SERVICE_PORT)
        where = f"{target.offers} on {watcher}"
        inside = lambda: address in proxy.serving(target.offers)
    words = "in" if way == "in" else "out of"
    wait.until(lambda: inside() == (way == "in"), SECONDS,
               f"{target.name} is {words} {where}")
    return f"{target.name} is {words} {where}{acts.since_last(stack)}"


def leader(stack):
    """Returns the machine of the leading ZooKeeper, or None."""
    leading = ("mode: leader", "mode: standalone")
    return next((one for one in stack.zookeepers()
                 if ZooKeeper(stack, one).mode() in leading), None)


def follower(stack):
    """Returns a machine whose ZooKeeper follows, or None."""
    return next((one for one in stack.zookeepers()
                 if ZooKeeper(stack, one).mode() == "mode: follower"), None)


def a_leader(stack):
    """Waits until a ZooKeeper leads."""
    found = wait.until(lambda: leader(stack), SECONDS, "a ZooKeeper leads")
    return f"{found.name} leads{acts.since_last(stack)}"
