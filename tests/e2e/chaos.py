"""Random faults: what breaks when, and for how long.

A plan follows from its seed alone, so a failing run can be repeated.
"""

import random
import time
from dataclasses import dataclass

SHORTEST, LONGEST = 0.2, 4.0  # how long a fault lasts, seconds
PAUSE = 0.6                   # between two faults, on average
GRACE = 2.0                   # until what was mended counts as whole


@dataclass(order=True)
class Fault:
    """One fault: `kind` happens to thing number `who` of those to which it can
    happen."""
    start: float
    kind: str
    who: int
    end: float


def plan(seed, seconds, counts, limits):
    """Returns the faults of so many seconds, in the order of their start.

    `counts` has the number of things to which each kind of fault can happen.
    `limits` says how many things may be broken at once by the kinds whose
    names begin with a word: {"service": 2}.
    """
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
    """Tells whether nothing else happens to that thing now, and whether not
    too many of its kind would be broken."""
    active = {_thing(it) for it in faults if it.end + GRACE > fault.start}
    same = [it for it in active if it[0] == _thing(fault)[0]]
    limit = limits.get(_thing(fault)[0], len(same) + 1)
    return _thing(fault) not in active and len(same) < limit


def run(faults, actions):
    """Runs the faults. `actions[kind]` is a pair of functions of `who`: the
    first breaks it, the second mends it."""
    steps = sorted([(it.start, 0, it) for it in faults] +
                   [(it.end, 1, it) for it in faults])
    start = time.monotonic()
    for at, which, fault in steps:
        time.sleep(max(0, at - (time.monotonic() - start)))
        print(f"{at:6.2f} {'mend' if which else 'break'} "
              f"{fault.kind} {fault.who + 1}")
        actions[fault.kind][which](fault.who)
