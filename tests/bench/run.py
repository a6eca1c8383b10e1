"""Runs the benchmarks: a table on standard output, and build/bench.jsonl.

  run.py [NAME...]      bench_NAME.py, or all but those of ASKED

A benchmark is a file bench_NAME.py with a function `run(sandbox)` that yields
its figures, and its `DEADLINE` in seconds, which TEST_TIMEOUT multiplies: all
benchmarks together end within 15 minutes. The harness of the end-to-end tests
starts the programs that a benchmark needs, in a sandbox of its own.

A figure is kept as soon as it is there. If a benchmark fails or hangs, its
error and the logs of its programs are shown; its earlier figures and those of
the others stay. A missed aim is shown, and is no failure: a busy machine
misses it too.
"""

import glob
import importlib
import os
import signal
import sys
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import figures  # noqa: E402
import program  # noqa: E402
import wait  # noqa: E402
from sandbox import Sandbox  # noqa: E402

RECORD = os.path.join(program.BUILD, "bench.jsonl")
PREFIX = "bench_"
ASKED = {"fleet", "nerves"}  # take minutes: only when they are asked for


def names():
    """The names of all benchmarks."""
    found = glob.glob(os.path.join(HERE, f"{PREFIX}*.py"))
    return sorted(os.path.basename(path)[len(PREFIX):-len(".py")]
                  for path in found)


class Late(Exception):
    """A benchmark was not over at its deadline."""


def _late(_number, _frame):
    raise Late("not over at its deadline")


def measure(name, keep):
    """Runs one benchmark and gives each figure to `keep`. Returns whether it
    measured all; when it did not, its error and the logs of its programs are
    printed."""
    sandbox = Sandbox()
    bench = importlib.import_module(PREFIX + name)
    signal.signal(signal.SIGALRM, _late)
    signal.setitimer(signal.ITIMER_REAL, bench.DEADLINE * wait.FACTOR)
    try:
        for figure in bench.run(sandbox):
            keep(figure)
        return True
    except Exception:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for log, text in sandbox.logs():
            print(f"--- {log}\n{text[-8000:]}", file=sys.stderr)
        print(f"{name}: {traceback.format_exc()}", file=sys.stderr)
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for trouble in sandbox.close():
            print(trouble, file=sys.stderr)
        sandbox.remove()


def progress(wanted, at):
    """Tells a terminal what is measured now, and how long it may take."""
    if not sys.stderr.isatty():
        return
    rest = sum(importlib.import_module(PREFIX + name).DEADLINE
               for name in wanted[at:]) * wait.FACTOR
    print(f"== {wanted[at]} ({at + 1} of {len(wanted)}, "
          f"at most {rest / 60:.0f} min to the end)", file=sys.stderr)


def main(wanted):
    unknown = set(wanted) - set(names())
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))} "
                 f"(there are: {', '.join(names())})")
    wanted = wanted or [name for name in names() if name not in ASKED]
    measured, failed = [], []
    with open(RECORD, "w", buffering=1) as file:
        def keep(figure):
            measured.append(figure)
            figures.write([figure], file)

        for at, name in enumerate(wanted):
            progress(wanted, at)
            if not measure(name, keep):
                failed.append(name)
    print(figures.table(measured))
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
