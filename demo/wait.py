"""Waits that have a deadline and end early on Ctrl-C."""

import signal
import time

PAUSE = 0.05
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_asked = []


class Stopped(Exception):
    """The user pressed Ctrl-C, closed the terminal or sent SIGTERM."""


class Late(Exception):
    """A condition did not come true in time."""


def listen():
    """Handles the signals that end the program: a wait then raises Stopped.
    The handler does nothing else, so no step is cut in the middle."""
    for number in SIGNALS:
        signal.signal(number, lambda asked, _frame: _asked.append(asked))


def pause(seconds=PAUSE):
    """Sleeps a moment; raises Stopped after one of these signals."""
    end = time.monotonic() + seconds
    while True:
        if _asked:
            raise Stopped
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, PAUSE))


def until(condition, seconds, what):
    """Returns the first true value of `condition()`; raises Late, naming
    `what`, after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Late(f"not within {seconds:g} s: {what}")
        pause()
