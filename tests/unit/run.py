#!/usr/bin/python3
"""Runs unit tests in C, each program a line; of one that fails, all it says.

    tests/unit/run.py PROGRAM...

$UNDER is a command that runs each, an emulator for example.
"""
import os
import re
import shlex
import subprocess
import sys

SECONDS = 300
UNDER = shlex.split(os.environ.get("UNDER", ""))


def run(program):
    """Returns how many tests passed and failed, and what was printed."""
    try:
        done = subprocess.run([*UNDER, program], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              errors="replace", stdin=subprocess.DEVNULL,
                              timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode(errors="replace")
        return 0, 1, f"{said}\n{program}: not done within {SECONDS} s"
    passed, failed = (
        sum(map(int, re.findall(rf"^\[  {word}  \] (\d+) test", done.stdout,
                                re.M))) for word in ("PASSED", "FAILED"))
    if done.returncode != 0 or passed == 0:
        failed = failed or 1
    return passed, failed, done.stdout


def main(programs):
    totals = [0, 0]
    for program in programs:
        passed, failed, text = run(program)
        totals = [totals[0] + passed, totals[1] + failed]
        name = re.sub("^build[^/]*/unit/", "", program)
        if failed:
            print(text)
        again = f"; again: {program}" if failed else ""
        print(f"{name}: {passed} passed, {failed} failed{again}", flush=True)
    print(f"{totals[0]} passed, {totals[1]} failed in {len(programs)} programs")
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
