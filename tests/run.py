#!/usr/bin/python3
"""Runs make targets one after the other and counts the tests in all of them.

    tests/run.py lint unit sanitize e2e

A target without tests of its own (lint) counts as one test. Before each target
a line says how many are done and how long this one took last time, if that is
known. The failures are listed again at the end. The last line is "N passed, N
failed"; the exit status is 0 only if none failed.
"""
import json
import os
import re
import subprocess
import sys
import time

SECONDS = "build/seconds.json"

# What each runner prints at its end: (passed, failed) or either alone.
COUNTS = (
    (re.compile(r"^(\d+) passed, (\d+) failed in \d+ programs$", re.M), (1, 2)),
    (re.compile(r"^(\d+) success\w* / (\d+) failure\w* / (\d+) error", re.M),
     (1, (2, 3))),
    (re.compile(r"^=+ .*?\b(\d+) passed.* in ", re.M), (1, None)),
    (re.compile(r"^=+ .*?\b(\d+) failed.* in ", re.M), (None, 1)),
    (re.compile(r"^=+ .*?\b(\d+) errors?.* in ", re.M), (None, 1)),
)

# How each runner names a test that failed, a compiler an error, and luacheck a
# warning.
FAILED = re.compile(
    r"^(?:(?:FAILED|ERROR) (\S+::.*)"
    r"|(?:Failure|Error) (?:->|→) (\S+ @ \d+\n.*)"
    r"|(\S+): \d+ passed, [1-9]\d* failed; again: .*"
    r"|(\S+): FAILED"
    r"|(\S+:\d+:\d+: error: .*)"
    r"|    (\S+\.lua:\d+:\d+: .*))$", re.M)


def total(match, groups):
    """Adds up the numbers of `groups`: one, several, or None."""
    if groups is None:
        return 0
    if isinstance(groups, int):
        groups = (groups,)
    return sum(int(match.group(group)) for group in groups)


def count(output):
    """Returns how many tests `output` reports as passed and as failed."""
    passed = failed = 0
    for pattern, (good, bad) in COUNTS:
        for match in pattern.finditer(output):
            passed += total(match, good)
            failed += total(match, bad)
    return passed, failed


def names(output):
    """Returns how `output` names the tests that failed, each on one line."""
    found = ("".join(match.groups("")) for match in FAILED.finditer(output))
    return list(dict.fromkeys(" ".join(name.split()) for name in found))


def run(target):
    """Makes `target`, showing its output; returns passed, failed, and how
    those that failed are named."""
    lines = []
    with subprocess.Popen(["make", "--no-print-directory", target],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True,
                          errors="replace") as process:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(re.sub(r"\x1b\[[0-9;]*m", "", line))
    output = "".join(lines)
    passed, failed = count(output)
    if process.returncode != 0 and failed == 0:
        failed = 1
    if process.returncode == 0 and passed == 0:
        passed = 1
    return passed, failed, names(output)


def read_seconds():
    """How long each target took last time."""
    try:
        with open(SECONDS) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def write_seconds(seconds):
    os.makedirs(os.path.dirname(SECONDS), exist_ok=True)
    with open(f"{SECONDS}.new", "w") as file:
        json.dump(seconds, file)
    os.rename(f"{SECONDS}.new", SECONDS)


def heading(targets, at, seconds):
    """What is made now, how far that is, and how long the rest took last
    time."""
    rest = [seconds.get(target) for target in targets[at:]]
    known = f", {rest[0]:.0f} s last time" if rest[0] else ""
    if len(rest) > 1 and all(rest):
        known += f", {sum(rest) / 60:.0f} min to the end"
    return f"== {targets[at]} ({at + 1} of {len(targets)}{known})"


def main(targets):
    passed = failed = 0
    said = []
    seconds = read_seconds()
    for at, target in enumerate(targets):
        start = time.monotonic()
        print(heading(targets, at, seconds), flush=True)
        good, bad, named = run(target)
        seconds[target] = time.monotonic() - start
        print(f"== {target}: {good} passed, {bad} failed, "
              f"{seconds[target]:.0f} s", flush=True)
        write_seconds(seconds)
        passed += good
        failed += bad
        if bad:
            said += [f"{target}: {name}" for name in named or ["see above"]]
    for line in said:
        print(f"FAILED {line}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
