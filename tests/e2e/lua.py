"""Plain Lua programs that use the built module."""

import os

import program
import wait

EXAMPLES = os.path.join(program.ROOT, "csrc", "examples")
PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "programs")


def environment():
    """Returns the environment in which Lua finds the built module and the
    tests' own helper."""
    return {**os.environ,
            "LUA_CPATH": os.path.join(os.path.dirname(program.MODULE),
                                      "?.so"),
            "LUA_PATH": os.path.join(PROGRAMS, "?.lua")}


def start(sandbox, file, *arguments, tool=()):
    """Starts a program of this directory, or an example; `tool` runs it."""
    name = os.path.basename(file).partition(".")[0]
    return sandbox.run(name, [*tool, program.LUA, file, *map(str, arguments)],
                       env=environment())


def own(name):
    return os.path.join(PROGRAMS, name)


def example(name):
    return os.path.join(EXAMPLES, name)


def run(sandbox, file, *arguments, seconds=60, tool=()):
    """Runs a program, which must succeed. Returns what it printed."""
    process = start(sandbox, file, *arguments, tool=tool)
    status = process.ended(seconds)
    assert status == 0, process.text()
    return process.text()


def says_in_order(process, wanted, seconds=20):
    """Waits until its lines begin with `wanted`, in this order."""
    def seen():
        lines = iter(process.text().splitlines())
        return all(any(line.startswith(start) for line in lines)
                   for start in wanted)
    wait.until(seen, seconds, f"{process.name} says {wanted}")
