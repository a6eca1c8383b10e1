"""tests/bench/run.py: what becomes of the figures."""

import importlib
import json
import os
import sys
import types

import pytest

BENCH = os.path.join(os.path.dirname(__file__), "..", "..", "bench")
sys.path.insert(0, BENCH)

import figures  # noqa: E402
import run  # noqa: E402


def figure(name):
    return figures.Figure("a", name, 2.0, "ms", 1.0)


@pytest.fixture(name="kept")
def _kept(tmp_path, monkeypatch):
    """Runs benchmarks that are given as functions; returns the status, and
    the names of the figures that were kept."""
    monkeypatch.setattr(run, "RECORD", str(tmp_path / "bench.jsonl"))

    def kept(*benches, deadline=60):
        names = [function.__name__ for function in benches]
        for function in benches:
            monkeypatch.setitem(
                sys.modules, f"bench_{function.__name__}",
                types.SimpleNamespace(run=function, DEADLINE=deadline))
        monkeypatch.setattr(run, "names", lambda: names)
        status = run.main([])
        with open(run.RECORD) as file:
            return status, [json.loads(line)["metric"] for line in file]
    return kept


# `make bench` printed and kept its figures at the end: the last benchmark to
# fail lost those of all others.
def test_one_that_fails_loses_no_figure_of_the_others(kept, capsys):
    def good(_sandbox):
        yield figure("first")

    def bad(_sandbox):
        yield figure("second")
        raise ValueError("cannot measure")

    def last(_sandbox):
        yield figure("third")

    assert kept(good, bad, last) == (1, ["first", "second", "third"])
    shown = capsys.readouterr()
    assert shown.out.endswith("failed: bad\n")
    assert "ValueError: cannot measure" in shown.err
    assert kept(good, last) == (0, ["first", "third"])


# One hung for 71 minutes: the floor of nerve's checks slept until a moment
# that had passed, which as an unsigned number was far away.
def test_one_that_hangs_ends_at_its_deadline(kept):
    reader, writer = os.pipe()

    def hangs(_sandbox):
        yield figure("first")
        os.read(reader, 1)

    def last(_sandbox):
        yield figure("second")

    assert kept(hangs, last, deadline=0.05) == (1, ["first", "second"])
    os.close(reader)
    os.close(writer)


def test_a_figure_is_kept_before_the_next_is_measured(kept):
    def bench(_sandbox):
        yield figure("first")
        with open(run.RECORD) as file:
            assert '"first"' in file.read()
        yield figure("second")

    assert kept(bench) == (0, ["first", "second"])


def test_all_together_are_over_in_15_minutes():
    deadlines = [importlib.import_module(f"bench_{name}").DEADLINE
                 for name in run.names() if name not in run.ASKED]
    assert len(deadlines) >= 7
    assert sum(deadlines) <= 15 * 60
