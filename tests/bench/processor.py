"""How much of a processor a process uses."""

import glob
import time

LOOK = 2       # seconds
FALLING = 0.8  # of the look before


def used(pid):
    """Seconds of a processor, by all threads of a process until now."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as file:
            total += int(file.read().split()[0])
    return total / 1e9


def share(used):
    """Of a processor, over a look. `used()` returns seconds of a processor."""
    start, before = time.monotonic(), used()
    time.sleep(LOOK)
    return (used() - before) / (time.monotonic() - start)


def idle_share(used):
    """The same while nothing changes: what a start has left to do is over once
    it becomes no less."""
    last, now = float("inf"), share(used)
    while now < FALLING * last:
        last, now = now, share(used)
    return now
