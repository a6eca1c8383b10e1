"""Records each thing that is done to the stack, with its time, so that its
effect can be measured from that moment."""

import contextlib
import os
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Act:
    """Something that was done between `begin` and `end`, in seconds of the
    monotonic clock, which all processes share."""
    begin: float
    end: float
    text: str


def now():
    return time.monotonic()


@contextlib.contextmanager
def noted(stack, text):
    """Records an act when the `with` block has ended without an error."""
    begin = now()
    yield
    with open(_file(stack), "a") as file:
        file.write(f"{begin:.6f} {now():.6f} {text}\n")


def all_of(stack):
    """Returns all acts so far, the oldest first."""
    if not os.path.exists(_file(stack)):
        return []
    with open(_file(stack)) as file:
        lines = [line.rstrip("\n").split(" ", 2) for line in file]
    return [Act(float(begin), float(end), text) for begin, end, text in lines]


def since_last(stack):
    """Says how long ago the last act was; empty if there was none."""
    acts = all_of(stack)
    if not acts:
        return ""
    return (f", {(now() - acts[-1].begin) * 1000:.0f} ms after "
            f"`{acts[-1].text}`")


def _file(stack):
    return os.path.join(stack.folder, "acts.log")
