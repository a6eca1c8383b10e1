"""Runs the benchmarks: a table on standard output, and build/bench.jsonl.

  run.py [NAME...]      all of them, or only bench_NAME.py

A benchmark is a file bench_NAME.py with a function `run(sandbox)` that
returns its figures. The programs it needs come from the end-to-end tests'
harness, in a sandbox of its own. A missed aim is shown, and is no failure: a
busy machine misses it too. A benchmark that cannot measure is one.
"""

import glob
import importlib
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import figures  # noqa: E402
import program  # noqa: E402
from sandbox import Sandbox  # noqa: E402

RECORD = os.path.join(program.BUILD, "bench.jsonl")
PREFIX = "bench_"


def names():
    """The names of all benchmarks."""
    found = glob.glob(os.path.join(HERE, f"{PREFIX}*.py"))
    return sorted(os.path.basename(path)[len(PREFIX):-len(".py")]
                  for path in found)


def measure(name):
    """Runs one benchmark; returns its figures. When it fails, the logs of
    its programs are printed."""
    sandbox = Sandbox()
    try:
        return importlib.import_module(PREFIX + name).run(sandbox)
    except BaseException:
        for log, text in sandbox.logs():
            print(f"--- {log}\n{text[-8000:]}", file=sys.stderr)
        raise
    finally:
        for trouble in sandbox.close():
            print(trouble, file=sys.stderr)
        sandbox.remove()


def main(wanted):
    unknown = set(wanted) - set(names())
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))} "
                 f"(there are: {', '.join(names())})")
    measured = [one for name in wanted or names() for one in measure(name)]
    with open(RECORD, "w") as file:
        figures.write(measured, file)
    print(figures.table(measured))


if __name__ == "__main__":
    main(sys.argv[1:])
