"""The state and the report of every piece, as a table."""

import os
import sys
import textwrap

from pieces import pieces_of

HEADS = ("MACHINE", "PIECE", "PID", "STATE", "SAYS")


def status(stack):
    """Returns the table of all pieces, as lines."""
    return lines([HEADS, *map(_row, pieces_of(stack))], columns())


def columns():
    """Returns how wide the terminal is, or None: there is none."""
    return os.get_terminal_size(1).columns if sys.stdout.isatty() else None


def _row(piece):
    state = piece.process.state()
    alive = state == "running"
    return (piece.machine.name, piece.kind,
            str(piece.process.pid) if piece.process.pid else "-", state,
            piece.says() or "no answer" if alive else "")


def lines(rows, width=None):
    """Aligns the columns of `rows`, which are tuples of strings. Where the last
    one goes beyond a terminal of this width, it has several lines."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    if width:
        room = max(20, width - sum(widths[:-1]) - 2 * len(widths[:-1]))
        rows = [part for row in rows for part in _wrapped(row, room)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _wrapped(row, room):
    first, *rest = textwrap.wrap(row[-1], room) or [""]
    yield (*row[:-1], first)
    for part in rest:
        yield (*[""] * (len(row) - 1), part)
