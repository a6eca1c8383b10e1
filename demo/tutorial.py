"""The tutorial as data: its steps, their commands, and the expected output.

It is read from the text itself, so a reader types and the tour runs the same
lines. Pure.
"""

import re
from dataclasses import dataclass, field

_STEP = re.compile(r"### (\d+)\. (.+)")
_LOAD = re.compile(r"\*Under load:\* (.+)\.")
_COMMAND = "    $ "


@dataclass
class Command:
    """A command, and the lines that the text shows below it."""
    words: str
    shown: list = field(default_factory=list)


@dataclass
class Step:
    """A step. `load` is what the text says about requests, or empty."""
    number: int
    title: str
    commands: list = field(default_factory=list)
    load: str = ""


def steps_of(text):
    """Returns the steps of `text`, in order. A step ends at the next
    heading."""
    steps, inside = [], False
    for line in text.splitlines():
        heading, load = _STEP.fullmatch(line), _LOAD.fullmatch(line)
        if heading:
            steps.append(Step(int(heading[1]), heading[2]))
            inside = True
        elif line.startswith("#"):
            inside = False
        elif inside and load:
            steps[-1].load = load[1]
        elif inside and line.startswith(_COMMAND):
            steps[-1].commands.append(Command(line.removeprefix(_COMMAND)))
        elif inside and steps[-1].commands and line.startswith("    "):
            steps[-1].commands[-1].shown.append(line.strip())
    return steps
