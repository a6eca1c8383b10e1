"""Wait for a condition with a deadline, never for a time.

TEST_TIMEOUT (a factor, 1 by default) stretches every deadline: a slow machine
makes the tests slow, not red.
"""

import os
import time

FACTOR = float(os.environ.get("TEST_TIMEOUT") or 1)
PAUSE = 0.02


class Late(AssertionError):
    """A condition did not come true before its deadline."""


def until(condition, seconds, what):
    """Returns the first true value of `condition()`; raises Late, naming
    `what` and the last value, after `seconds`."""
    end = time.monotonic() + seconds * FACTOR
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Late(f"not within {seconds * FACTOR:g} s: {what}; "
                       f"last seen: {value!r}")
        time.sleep(PAUSE)


def always(condition, seconds, what):
    """Asserts that `condition()` stays true for `seconds`. This time is not
    stretched: it says how long a fault lasts, not how patient the test is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        assert value, f"did not last {seconds:g} s: {what}; saw: {value!r}"
        time.sleep(PAUSE)


def elapsed(action):
    """Returns how many seconds `action()` took."""
    start = time.monotonic()
    action()
    return time.monotonic() - start
