"""The tour: it runs the tutorial of demo/README.md as it is printed."""

import os
import re
import subprocess
from types import SimpleNamespace

import pytest

import program
import wait
from demo_module import load
from demo_network import FOLDER, NETWORK, living

TOUR = os.path.join(program.ROOT, "demo", "tour")

tutorial, verdict = load("tutorial"), load("verdict")


def tour(*arguments):
    return subprocess.run(
        [TOUR, *arguments], env={**os.environ, "DEMO_NETWORK": NETWORK},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=900 * wait.FACTOR)


def test_every_step_of_the_tutorial_shows_what_it_says():
    done = tour()
    assert done.returncode == 0, done.stdout
    steps = re.findall(r"^\d+ .* passed$", done.stdout, re.M)
    assert len(steps) > 20
    assert done.stdout.endswith(f"\n{len(steps)} passed, 0 failed\n")
    print(done.stdout[done.stdout.rindex("STEP"):])
    assert not living()
    assert not os.path.exists(FOLDER)


def test_a_step_that_shows_something_else_fails_the_tour(sandbox):
    text = sandbox.write("lies.md", "### 1. The truth\n\n    $ echo a\n    a\n"
                                    "### 2. A lie\n\n    $ echo a\n    b\n")
    done = tour("--text", text)
    assert done.returncode == 1
    assert "FAILED: `echo a` does not show: b\n" in done.stdout
    assert done.stdout.endswith("\n1 passed, 1 failed\n")
    alone = tour("--text", text, "--step", "1")
    assert alone.returncode == 0
    assert alone.stdout.endswith("\n1 passed, 0 failed\n")


@pytest.mark.parametrize("arguments, message", [
    (["--step", "99"], "tour: --step 99: the text has steps 1 to 23\n"),
    (["--text", "/dev/null"], "tour: /dev/null: it has no step"),
])
def test_what_the_tour_cannot_run_is_named(arguments, message):
    done = tour(*arguments)
    assert done.returncode == 1
    assert message in done.stdout


def test_steps_are_read_from_the_text():
    [one, two] = tutorial.steps_of(
        "# Title\n\n    $ before any step\n\n### 1. One\n\n    $ a b\n    x\n"
        "    $ c\n\nwords\n\n*Under load:* none fails.\n## Part\n\n"
        "    $ in no step\n### 2. Two\n")
    assert (one.number, one.title, one.load) == (1, "One", "none fails")
    assert [(command.words, command.shown) for command in one.commands] == [
        ("a b", ["x"]), ("c", [])]
    assert (two.commands, two.load) == ([], "")


@pytest.mark.parametrize("shown, output, lacks", [
    (["a b"], "a    b\n", ""),
    (["a" + 60 * " " + "b"], "a" + 90 * " " + "c\na b\n", ""),
    (["a ... d"], "a b c d\n", ""),
    (["a", "c"], "a\nb\nc\n", ""),
    (["c", "a"], "a\nb\nc\n", "a"),
    (["a"], "aa\n", "a"),
    (["..."], "", ""),
    (["(nothing)"], "", ""),
    (["(nothing)"], "a\n", "(nothing)"),
])
def test_what_is_shown_must_be_there_in_its_order(shown, output, lacks):
    assert verdict.missing(shown, output) == lacks


@pytest.mark.parametrize("load, wrong", [
    ("", ""),
    ("none fails", "2 requests have failed"),
    ("only requests in flight fail", "1 requests have failed"),
    ("requests fail meanwhile", ""),
    ("all is well", "the text says 'all is well', which nobody understands"),
])
def test_failed_requests_are_judged_by_the_words_of_the_text(load, wrong):
    requests = [SimpleNamespace(start=start, end=start + 2, good=good)
                for start, good in ((1, True), (4, False), (8, False))]
    crash = SimpleNamespace(begin=5, end=5.1)
    assert verdict.felt(load, requests, [crash]) == wrong


def test_a_step_whose_requests_were_never_sent_does_not_hold():
    assert verdict.felt("none fails", [], []) == "no request was sent"


def test_the_times_that_waiting_took_are_read():
    assert verdict.times("a is out of b on c, 12 ms after `x`\n"
                         "z leads, 3 ms after `y`\n") == [
                             "out 12 ms", "leads 3 ms"]
