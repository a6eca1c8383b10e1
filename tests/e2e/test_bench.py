"""The benchmarks count only changes and requests that were really made."""

import os
import socket
import sys

import pytest

import address
import wait

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "bench"))

import bench_nerve  # noqa: E402


def _listens(port):
    try:
        socket.create_connection((address.HOST, port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(name="floor")
def _floor(sandbox):
    port = address.port()
    sandbox.run("answerer", ["haproxy", "-db", "-f", sandbox.write(
        "answerer.cfg", bench_nerve.ANSWERER.format(address.HOST, port))])
    wait.until(lambda: _listens(port), 10, "the answerer listens")
    return bench_nerve.Floor(sandbox, port)


# The benchmark's minimum of nerve's checks slept until the next request was
# due. If that moment passed between two readings of the clock, the difference
# was negative, and as an unsigned number it was 71 minutes.
def test_a_floor_that_cannot_keep_up_ends_and_says_how_late_it_was(floor):
    look = []
    took = wait.elapsed(lambda: look.append(floor.look(10_000_000)))
    assert took < 30 * wait.FACTOR
    assert look[0].late_ms > 50 and look[0].share > 50


def test_a_floor_that_keeps_up_makes_every_request_in_time(floor):
    look = floor.look(20)
    assert 0 < look.percent < 100 and look.late_ms < 1000
