"""Writes to the terminal what takes long. Nothing is written if there is no
terminal, and the tests do not capture it."""

import sys

# pytest's own, which hides standard error from the terminal; set by conftest.
capture = None


def say(text):
    """Prints a line to the terminal, if standard error is one."""
    if capture:
        with capture.global_and_fixture_disabled():
            _print(text)
    else:
        _print(text)


def _print(text):
    if sys.stderr.isatty():
        print(f"\n== {text}", end=" ", file=sys.stderr, flush=True)
