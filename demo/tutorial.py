"""The tutorial as data: its steps, their commands and what these print.

It is read from the text itself, so that what a reader types and what the tour
runs are the same lines. Pure.
"""

import re
from dataclasses import dataclass, field

_STEP = re.compile(r"### (\d+)\. (.+)")
_LOAD = re.compile(r"\*Under load:\* (.+)\.")
_COMMAND = "    $ "


@dataclass
class Command:
    """What is typed, and the lines that the text shows after it."""
    words: str
    shown: list = field(default_factory=list)


@dataclass
class Step:
    """`load` says what becomes of requests; empty where the text does not."""
    number: int
    title: str
    commands: list = field(default_factory=list)
    load: str = ""


def steps_of(text):
    """The steps that `text` has, in its order; each ends with a heading."""
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
