"""Waiting that has a deadline and ends early when somebody asks to stop."""

import signal
import time

PAUSE = 0.05
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_asked = []


class Stopped(Exception):
    """Somebody pressed Ctrl-C, closed the terminal or sent SIGTERM."""


class Late(Exception):
    """What was waited for has not come."""


def listen():
    """Takes the signals that ask to stop; a wait then raises Stopped. They do
    no more than that, so nothing is ever cut in the middle of a step."""
    for number in SIGNALS:
        signal.signal(number, lambda asked, _frame: _asked.append(asked))


def pause(seconds=PAUSE):
    """Sleeps; raises Stopped when asked to stop."""
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
