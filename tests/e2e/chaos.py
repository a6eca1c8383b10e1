"""Faults at random: what is broken when, and for how long.

A plan follows from its seed alone, so that a failing run can be had again.
"""

import random
import time
from dataclasses import dataclass

SHORTEST, LONGEST = 0.2, 4.0  # how long a fault lasts, seconds
PAUSE = 0.6                   # between two faults, on average
GRACE = 2.0                   # until what was mended counts as whole


@dataclass(order=True)
class Fault:
    """One fault: `kind` happens to the `who`th of the things that it can
    happen to."""
    start: float
    kind: str
    who: int
    end: float


def plan(seed, seconds, counts, limits):
    """The faults of so many seconds, in the order of their start.

    `counts` tells how many things each kind of fault can happen to. `limits`
    tells for a name that kinds begin with how many of these things may be
    broken at once: {"service": 2}."""
    rng = random.Random(seed)
    faults, now = [], 0.0
    while now < seconds - LONGEST:
        now += rng.expovariate(1 / PAUSE)
        kind = rng.choice(sorted(counts))
        fault = Fault(now, kind, rng.randrange(counts[kind]),
                      now + rng.uniform(SHORTEST, LONGEST))
        if _fits(fault, faults, limits):
            faults.append(fault)
    return faults


def _thing(fault):
    return fault.kind.split()[0], fault.who


def _fits(fault, faults, limits):
    """Whether nothing happens to that thing now, and not to too many of its
    kind."""
    active = {_thing(it) for it in faults if it.end + GRACE > fault.start}
    same = [it for it in active if it[0] == _thing(fault)[0]]
    limit = limits.get(_thing(fault)[0], len(same) + 1)
    return _thing(fault) not in active and len(same) < limit


def run(faults, actions):
    """Lets the faults happen. `actions[kind]` is a pair of functions of
    `who`: what breaks it, and what mends it."""
    steps = sorted([(it.start, 0, it) for it in faults] +
                   [(it.end, 1, it) for it in faults])
    start = time.monotonic()
    for at, which, fault in steps:
        time.sleep(max(0, at - (time.monotonic() - start)))
        print(f"{at:6.2f} {'mend' if which else 'break'} "
              f"{fault.kind} {fault.who + 1}")
        actions[fault.kind][which](fault.who)
