"""Figures of the benchmarks: how they are summed up, shown and kept."""

import dataclasses
import json
import math

COLUMNS = ("bench", "metric", "value", "unit", "floor", "ratio", "aim")


@dataclasses.dataclass
class Figure:
    """One measured value, and the floor it is compared with where there is
    one. `aim` is the largest ratio that was hoped for, `most` the largest
    value."""
    bench: str
    metric: str
    value: float
    unit: str
    floor: float = None
    aim: float = None
    most: float = None

    @property
    def ratio(self):
        return self.value / self.floor if self.floor else None

    def record(self):
        """What is kept of it."""
        return {"bench": self.bench, "metric": self.metric,
                "value": _rounded(self.value), "unit": self.unit,
                "floor": _rounded(self.floor), "ratio": _rounded(self.ratio)}

    def row(self):
        """What is shown of it, by column."""
        shown = {name: "-" if value is None else str(value)
                 for name, value in self.record().items()}
        return {**shown, "aim": self._judged()}

    def _judged(self):
        for found, hoped in ((self.ratio, self.aim), (self.value, self.most)):
            if hoped is not None:
                return f"<= {hoped:g} {'met' if found <= hoped else 'MISSED'}"
        return ""


def percentile(values, share):
    """The smallest value that is not below `share` (0 to 1] of `values`."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def table(figures):
    """The figures as lines of text, aligned under their column's name."""
    rows = [dict(zip(COLUMNS, COLUMNS)), *(one.row() for one in figures)]
    widths = {name: max(len(row[name]) for row in rows) for name in COLUMNS}
    return "\n".join(_line(row, widths) for row in rows)


def write(figures, file):
    """Writes one JSON object a line."""
    for one in figures:
        file.write(json.dumps(one.record()) + "\n")


def _rounded(value):
    return None if value is None else round(value, 3)


def _line(row, widths):
    cells = [row[name].ljust(widths[name]) if name in ("bench", "metric", "aim")
             else row[name].rjust(widths[name]) for name in COLUMNS]
    return "  ".join(cells).rstrip()
