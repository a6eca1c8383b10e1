"""Compares what happened with what the tutorial says. Pure."""

import re

ANYTHING, NOTHING = "...", "(nothing)"


def missing(shown, output):
    """Returns the first line of `shown` that `output` does not have in this
    order; empty if it has all. `...` matches anything, and one blank matches
    any number of blanks."""
    if shown == [NOTHING]:
        return NOTHING if output.strip() else ""
    lines = iter(output.splitlines())
    for line in shown:
        if line == ANYTHING:
            continue
        pattern = _pattern(line)
        if not any(pattern.fullmatch(one.strip()) for one in lines):
            return line
    return ""


def _pattern(line):
    parts = [r"\s+".join(map(re.escape, re.split(" +", part)))
             for part in line.split(ANYTHING)]
    return re.compile(".*".join(parts))


def felt(load, requests, crashes):
    """Compares the results of the requests with what the text says about them.
    `crashes` are the acts that killed something. Returns what is wrong."""
    failed = [one for one in requests if not one.good]
    if not load:
        return ""
    if not requests:
        return "no request was sent"
    if load == "requests fail meanwhile":
        return "" if failed else "no request has failed"
    if load == "only requests in flight fail":
        failed = [one for one in failed if not any(
            one.start < act.end and one.end > act.begin for act in crashes)]
    elif load != "none fails":
        return f"the text says {load!r}, which nobody understands"
    return f"{len(failed)} requests have failed" if failed else ""


def times(output):
    """Returns the milliseconds that `wait` printed, each with `in` or
    `out`."""
    found = re.findall(r"is (in|out) .*?, (\d+) ms after|(leads), (\d+) ms",
                       output)
    return [f"{way or word} {number or other} ms"
            for way, number, word, other in found]
