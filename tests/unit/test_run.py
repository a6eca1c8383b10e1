"""tests/run.py: what failed is named again at the end, for the place where
it was said may be ten thousand lines above."""
import importlib.util
import pathlib

PATH = pathlib.Path(__file__).resolve().parents[1] / "run.py"
SPEC = importlib.util.spec_from_file_location("run_of_all", PATH)
run = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run)


def test_each_runner_names_what_failed():
    assert run.names("""\
Failure -> tests/unit/synapse/x_spec.lua @ 12
a thing is right
tests/unit/synapse/x_spec.lua:13: Expected objects to be equal.
nerve/test_a: 3 passed, 0 failed
nerve/test_b: 3 passed, 2 failed; again: build/unit/nerve/test_b
boundary: FAILED
boundary: 12 cases
FAILED tests/e2e/test_x.py::test_y[a b] - AssertionError: late
ERROR tests/e2e/test_x.py::test_z
ERROR org.apache.zookeeper.server.ServerCnxn - Error closing
csrc/base/file.c:6:55: error: no such thing
    lua/synapse/log.lua:24:1: line is too long
""") == ["tests/unit/synapse/x_spec.lua @ 12 a thing is right",
         "nerve/test_b",
         "boundary",
         "tests/e2e/test_x.py::test_y[a b] - AssertionError: late",
         "tests/e2e/test_x.py::test_z",
         "csrc/base/file.c:6:55: error: no such thing",
         "lua/synapse/log.lua:24:1: line is too long"]


def test_what_passes_names_nothing():
    assert not run.names("""\
7 successes / 0 failures / 0 errors / 0 pending : 0.1 seconds
12 passed, 0 failed in 3 programs
======= 3 passed in 1.0 s =======
""")


def test_counts_of_all_runners_are_added():
    assert run.count("""\
7 successes / 1 failure / 2 errors / 0 pending : 0.1 seconds
12 passed, 4 failed in 3 programs
======= 1 failed, 3 passed in 1.0 s =======
""") == (22, 8)
