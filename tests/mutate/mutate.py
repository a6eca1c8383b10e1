#!/usr/bin/python3
"""Puts single faults into the source, one at a time, and runs the unit tests:
which faults does no test notice?

    tests/mutate/mutate.py [--mutants N] [--seed N] [--jobs N] [PATH...]

PATH is a file or folder below csrc, nerve or lua (all of them). N faults are
chosen at random, the same for the same seed and source, and tried one at a
time. Each that survives is a line with its place; the last lines are the
score of each folder and of all. Faults that do not compile, that compile to
the same code, or that harmless.txt lists do not count.

Each is tried in a copy of the tree, build/mutate/N, and in namespaces of its
own. So a fault in a kill() reaches only the tests' processes, and their files
in /tmp go with them. A test that takes much longer than without a fault has
noticed it.

In C the unit tests are those of `make sanitize` (address), which notice a
missing free() too. Tests that refuse memory cannot do so with that sanitizer,
so they are built without it.
"""
import argparse
import collections
import dataclasses
import fcntl
import glob
import os
import queue
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from concurrent import futures

from faults import C, LUA, faults, language_of

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
COPIES = os.path.join(TOP, "build", "mutate")
HARMLESS = os.path.join(HERE, "harmless.txt")
SOURCES = ("csrc", "nerve", "lua/synapse")
# No unit test links these: the binding that HAProxy loads, and main().
LEFT_OUT = ("csrc/lua/", "csrc/examples/", "nerve/main.c")
SLOWER = 5  # times as long as without a fault, and
SLACK = 10 * float(os.environ.get("TEST_TIMEOUT", 1))  # seconds more: hangs
BUILD, PLAIN = "build-address", "build"
# No warnings: a fault may leave something unused. No line numbers: they differ
# where the code does not.
MAKE_PLAIN = ("make", "--no-print-directory", "-s", "CFLAGS=-w -g0")
MAKE = (*MAKE_PLAIN, "SANITIZE=address")
REFUSES = "tests/fake/fake_malloc.c"  # included by a test of no memory
# A make below this one does as it is told here, not as the one above was.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
BUSTED = (*shlex.split(os.environ.get("BUSTED", "busted")), "--no-keep-going")
LUAC = os.environ.get("LUAC", "luac")
# The tests are not process 1 of their namespace, which no signal ends.
SANDBOX = ("unshare", *(() if os.geteuid() == 0 else ("-r",)), "--mount",
           "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
           'mount --bind "$0" /tmp && "$@"; exit $?')

SURVIVED, NOTICED, LATE, SAME, BROKEN = (
    "survived", "noticed", "noticed by its time", "same code",
    "does not compile")
COUNTED = (SURVIVED, NOTICED, LATE)


class Failed(Exception):
    """What keeps the whole from going on, with its output."""


@dataclasses.dataclass
class Done:
    good: bool
    late: bool
    output: bytes
    seconds: float


def run(command, cwd, deadline=None):
    """Runs a command with nothing to read; when it is late, all that it
    started is ended."""
    start = time.monotonic()
    with subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=ENVIRONMENT, start_new_session=True) as process:
        try:
            output, late = process.communicate(timeout=deadline)[0], False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, late = process.communicate()[0], True
    return Done(process.returncode == 0, late, output,
                time.monotonic() - start)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def files_below(top):
    """The paths of all files, without what was built and git's."""
    found = []
    for folder, folders, names in os.walk(top):
        if folder == top:
            folders[:] = [name for name in folders if name != ".git"
                          and not name.startswith("build")]
        found += [os.path.relpath(os.path.join(folder, name), top)
                  for name in names if name != ".git"]
    return sorted(found)


def same(one, other):
    """Whether two files have the same bytes."""
    if not os.path.isfile(other):
        return False
    with open(one, "rb") as first, open(other, "rb") as second:
        return first.read() == second.read()


def refresh(copy):
    """Makes <copy> a copy of the tree. A file that is the same keeps its time,
    any other gets a new one: what was built there before stays right."""
    wanted = files_below(TOP)
    os.makedirs(copy, exist_ok=True)
    for path in set(files_below(copy)) - set(wanted):
        os.remove(os.path.join(copy, path))
    for path in wanted:
        to = os.path.join(copy, path)
        if not same(os.path.join(TOP, path), to):
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy(os.path.join(TOP, path), to)
    os.makedirs(os.path.join(copy, "build", "tmp"), exist_ok=True)


def object_of(path):
    return f"{BUILD}/obj/{path[:-len('.c')]}.o"


def program_of(test, build=BUILD):
    return f"{build}/unit/{test[len('tests/unit/'):-len('.c')]}"


def make_of(program):
    """How a program is made."""
    return MAKE if program.startswith(f"{BUILD}/") else MAKE_PLAIN


def symbols(path, *options):
    done = run(("nm", "--defined-only", "-P", *options, path), TOP)
    return {line.split()[0] for line in done.output.splitlines()}


class Tests:
    """The unit tests, and which of them can notice a fault in a file."""

    def __init__(self, copy, jobs, languages):
        """Builds what the tests need; `languages`: those with a fault."""
        tests = glob.glob("tests/unit/**/test_*.c", root_dir=copy,
                          recursive=True) if C in languages else []
        self.programs = sorted(
            program_of(test, PLAIN if REFUSES in read(os.path.join(copy, test))
                       else BUILD) for test in tests)
        commands = [(*make, *programs) for make in (MAKE, MAKE_PLAIN)
                    if (programs := [program for program in self.programs
                                     if make_of(program) == make])]
        # The tests in Lua load the module in C.
        if LUA in languages:
            commands.append(("make", "-s", "all"))
        for command in commands:
            done = run((*command, f"-j{jobs}"), copy)
            if not done.good:
                raise Failed(done.output)
        self.copy = copy
        self.inside = {program: symbols(os.path.join(copy, program))
                       for program in self.programs}
        self.seconds = {}

    def linked_with(self, path):
        """The programs that a C file is part of, the nearest first."""
        own = symbols(os.path.join(self.copy, object_of(path)), "-g")
        near = program_of(f"tests/unit/{os.path.dirname(path)}/test_"
                          f"{os.path.basename(path)}")
        folder = os.path.dirname(near)
        return sorted((program for program in self.programs
                       if own & self.inside[program]),
                      key=lambda program: (program != near,
                                           os.path.dirname(program) != folder,
                                           program))

    def of_lua(self, path):
        """What to give to busted: the nearest, or those in its folder, then
        everything."""
        near = path.replace("lua/", "tests/unit/", 1)
        near = near[:-len(".lua")] + "_spec.lua"
        if not os.path.exists(os.path.join(self.copy, near)):
            near = os.path.dirname(near)
        return [near, "tests/unit"]

    def deadline(self, name):
        return SLOWER * self.seconds[name] + SLACK

    def run(self, copy, name, deadline=None):
        """Runs one: a program, or what busted is given."""
        command = (f"./{name}",) if name in self.programs else (*BUSTED, name)
        return run((*SANDBOX, os.path.join(copy, "build/tmp"), *command), copy,
                   deadline)

    def try_all(self, names):
        """Runs these without a fault, and notes how long each takes."""
        for name in names:
            if name not in self.seconds:
                done = self.run(self.copy, name, 600)
                if not done.good:
                    raise Failed(done.output)
                self.seconds[name] = done.seconds


def bytes_of(path):
    with open(path, "rb") as file:
        return file.read()


class Laboratory:
    """One copy of the tree, in which one fault is tried at a time."""

    def __init__(self, copy, tests):
        self.copy, self.tests = copy, tests

    def attempt(self, fault):
        """Puts a fault in, runs the tests, takes it out; returns its fate."""
        path = os.path.join(self.copy, fault.path)
        text = read(path)
        try:
            if fault.path.endswith(".c"):
                return self.attempt_c(fault, path, text)
            return self.attempt_lua(fault, path, text)
        finally:
            write(path, text)
            shutil.rmtree(os.path.join(self.copy, "build/tmp"))
            os.makedirs(os.path.join(self.copy, "build/tmp"))

    def attempt_c(self, fault, path, text):
        built = os.path.join(self.copy, object_of(fault.path))
        if not run((*MAKE, object_of(fault.path)), self.copy).good:
            raise Failed(f"{fault.path} does not compile\n".encode())
        before = bytes_of(built)
        write(path, fault.put_into(text))
        if not run((*MAKE, object_of(fault.path)), self.copy).good:
            return BROKEN
        if bytes_of(built) == before:
            return SAME
        return self.judge(self.tests.linked_with(fault.path), True)

    def attempt_lua(self, fault, path, text):
        before = run((LUAC, "-s", "-o", "/dev/stdout", path), self.copy)
        write(path, fault.put_into(text))
        after = run((LUAC, "-s", "-o", "/dev/stdout", path), self.copy)
        if not after.good:
            return BROKEN
        if after.output == before.output:
            return SAME
        return self.judge(self.tests.of_lua(fault.path), False)

    def judge(self, names, built):
        """Runs the tests until one notices."""
        for name in names:
            if built and not run((*make_of(name), name), self.copy).good:
                return BROKEN
            done = self.tests.run(self.copy, name, self.tests.deadline(name))
            if done.late:
                return LATE
            if not done.good:
                return NOTICED
        return SURVIVED


def harmless():
    """The faults that nobody can notice, each with the line that it is in."""
    entries = [entry.splitlines() for entry in read(HARMLESS).split("\n\n")[1:]]
    return {(entry[0], entry[1].strip()) for entry in entries}


def named(fault, lines):
    """A fault as `harmless` has it; its line's number may change."""
    return re.sub(r":\d+:", ":", str(fault), count=1), \
        lines[fault.line - 1].strip()


def chosen(paths, seed):
    """All faults of the files at <paths> but those that are harmless, in an
    order of chance."""
    found, left_out = [], harmless()
    for path in paths:
        text = read(os.path.join(TOP, path))
        found += [fault for fault in faults(path, text)
                  if named(fault, text.splitlines()) not in left_out]
    random.Random(seed).shuffle(found)
    return found


def sources(only):
    """The source files at or below the given paths."""
    found = [path for path in files_below(TOP)
             if path.endswith((".c", ".lua"))
             and path.startswith(tuple(f"{top}/" for top in SOURCES))
             and not path.startswith(LEFT_OUT)
             and (not only or any(path == part.rstrip("/") or path.startswith(
                 part.rstrip("/") + "/") for part in only))]
    if not found:
        raise Failed(f"no source at {' '.join(only)} (a file or folder below "
                     f"{', '.join(SOURCES)})\n".encode())
    return found


def laboratories(jobs, paths):
    """As many copies of the tree as are used at once, built and tried."""
    first = os.path.join(COPIES, "0")
    refresh(first)
    tests = Tests(first, jobs, {language_of(path) for path in paths})
    names = set()
    for path in paths:
        names.update(tests.linked_with(path) if path.endswith(".c")
                     else tests.of_lua(path))
    tests.try_all(sorted(names))
    copies = [first] + [os.path.join(COPIES, str(number))
                        for number in range(1, jobs)]
    for copy in copies[1:]:
        shutil.rmtree(copy, ignore_errors=True)
        run(("cp", "-a", first, copy), TOP)
    return [Laboratory(copy, tests) for copy in copies]


def progress(text):
    """Shown in place of the one before, and only to somebody."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end="", flush=True)


def fates(found, most, free):
    """Yields each fault that counts with its fate, <most> at most, in the
    order of <found>. <free>: a queue of laboratories."""
    def attempt(fault):
        laboratory = free.get()
        try:
            return laboratory.attempt(fault)
        finally:
            free.put(laboratory)

    at_once = free.qsize()
    with futures.ThreadPoolExecutor(at_once) as pool:
        waiting = collections.deque()
        rest, counted = iter(found), 0
        while counted < most:
            for fault in rest:
                waiting.append((fault, pool.submit(attempt, fault)))
                if len(waiting) >= at_once + 2:
                    break
            if not waiting:
                break
            fault, fate = waiting.popleft()
            if fate.result() in COUNTED:
                counted += 1
                yield fault, fate.result()
        for _, fate in waiting:
            fate.cancel()


def score(name, fate):
    """One line of the table: how many were noticed, of how many."""
    noticed, total = fate[NOTICED] + fate[LATE], sum(fate.values())
    late = f", {fate[LATE]} of them by their time" if fate[LATE] else ""
    return f"{100 * noticed / total:5.1f} %  {name}: {noticed} of {total} " \
        f"noticed{late}"


def lock():
    """Returns a file that holds the copies until it is closed: two that use
    them at once would find each other's faults."""
    os.makedirs(COPIES, exist_ok=True)
    file = open(os.path.join(COPIES, "lock"), "w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed(f"another `make mutate` runs in {TOP}\n".encode()) \
            from None
    return file


def measure(arguments):
    paths = sources(arguments.paths)
    with lock():
        measure_files(arguments, paths)


def measure_files(arguments, paths):
    progress("building the tree and trying its tests without a fault ...")
    free = queue.SimpleQueue()
    for laboratory in laboratories(arguments.jobs, paths):
        free.put(laboratory)
    by_folder, total = collections.defaultdict(collections.Counter), \
        collections.Counter()
    for fault, fate in fates(chosen(paths, arguments.seed),
                             arguments.mutants, free):
        by_folder[os.path.dirname(fault.path)][fate] += 1
        total[fate] += 1
        if fate == SURVIVED:
            progress("")
            print(fault, flush=True)
        progress(f"{sum(total.values())} of {arguments.mutants}: "
                 f"{total[SURVIVED]} survived")
    progress("")
    for folder in sorted(by_folder) if len(by_folder) > 1 else ():
        print(score(folder, by_folder[folder]))
    if total:
        print(score(f"seed {arguments.seed}", total))


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("paths", nargs="*")
    try:
        measure(parser.parse_args())
    except Failed as failed:
        progress("")
        sys.exit(failed.args[0].decode(errors="replace"))


if __name__ == "__main__":
    main()
