"""What a terminal is told while it waits. A file or a pipe gets nothing."""

import sys

CLEAR = "\r\033[K"


def show(text):
    """Shows `text` in place of the one before; an empty one removes it."""
    if sys.stdout.isatty():
        print(f"{CLEAR}{text}", end="", flush=True)
