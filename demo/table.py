"""The state and the report of every piece, as a table."""

from pieces import pieces_of

HEADS = ("MACHINE", "PIECE", "PID", "STATE", "SAYS")


def status(stack):
    """Returns the table of all pieces, as lines."""
    return lines([HEADS, *map(_row, pieces_of(stack))])


def _row(piece):
    state = piece.process.state()
    alive = state == "running"
    return (piece.machine.name, piece.kind,
            str(piece.process.pid) if piece.process.pid else "-", state,
            piece.says() or "no answer" if alive else "")


def lines(rows):
    """Aligns the columns of `rows`, which are tuples of strings."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width
                      in zip(row, widths)).rstrip() for row in rows]
