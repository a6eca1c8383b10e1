"""Completes the command line of demo/smartstack."""

from deeds import VERBS
from machines import MACHINES, NEW_SERVICES, SERVICES, machine

NODES = [one.name for one in MACHINES if one.offers]
NAMES = [one.name for one in MACHINES]
PROXIES = [one.name for one in MACHINES if "haproxy" in one.pieces]
ALL = SERVICES + NEW_SERVICES
WORDS = ["up", "down", "status", *VERBS, "wait", "health", "ctl", "new",
         "call", "zk", "log", "watch"]


def candidates(words):
    """Returns what may stand in place of the last of `words`, which follow the
    program's name."""
    *before, last = words or [""]
    return sorted(one for one in _follow(before) if one.startswith(last))


def _follow(before):
    if not before:
        return WORDS
    verb, count = before[0], len(before)
    if verb == "up":
        return ["--cluster", "--zones", *NAMES]
    if verb in VERBS or verb == "log":
        return ([*NAMES, "leader", "follower"] if count == 1 else
                _pieces(before[1]) if count == 2 else
                ["-f"] if verb == "log" else [])
    return _ARGUMENTS.get((verb, count), [])


def _pieces(name):
    if name in ("leader", "follower"):
        return ["zookeeper"]
    return machine(name).pieces if name in NAMES else []


_ARGUMENTS = {
    ("health", 1): NODES,
    ("health", 2): ["on", "off"],
    ("wait", 1): [*NAMES, "leader"],
    ("wait", 2): ["in", "out"],
    ("ctl", 1): NODES,
    ("ctl", 2): ["disable", "enable", "status", "weight"],
    ("ctl", 3): ALL,
    ("new", 1): NEW_SERVICES,
    ("call", 1): PROXIES,
    ("call", 2): ALL,
    ("call", 3): ["-n"],
    ("zk", 1): ["ls", "get", "stat", "ruok", "status"],
    ("zk", 2): [f"/nerve/services/{one}/services" for one in ALL],
}
