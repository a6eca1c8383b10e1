"""What was done to the stack, and when: a line for each act, so that what
comes of it can be measured from the moment of the act itself."""

import os
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Act:
    """`moment` is in seconds of the clock that all processes share."""
    moment: float
    text: str


def now():
    return time.monotonic()


def note(stack, text):
    """Call it right before the act."""
    with open(_file(stack), "a") as file:
        file.write(f"{now():.6f} {text}\n")


def all_of(stack):
    """Every act so far, the oldest first."""
    if not os.path.exists(_file(stack)):
        return []
    with open(_file(stack)) as file:
        lines = [line.rstrip("\n").partition(" ") for line in file]
    return [Act(float(moment), text) for moment, _, text in lines]


def since_last(stack):
    """Says how long ago the last act was; nothing where there was none."""
    acts = all_of(stack)
    if not acts:
        return ""
    return (f", {(now() - acts[-1].moment) * 1000:.0f} ms after "
            f"`{acts[-1].text}`")


def _file(stack):
    return os.path.join(stack.folder, "acts.log")
