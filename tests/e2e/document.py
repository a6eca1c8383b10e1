"""A document whose commands a test runs, on the machines that it names.

    ```sh
    # on one, after some seconds
    synapsectl status
    ```
    ```text
    whole  web ...
    ```

The first line of a block of `sh` names the machines (`# on one, two and
three`). bash runs the block on each of them, one after the other. The block of
`text` right below is the expected output: `...` is any text, and a line of
`...` any number of lines. A block with `after some seconds` is run again until
its output is as expected.
"""

import re
from dataclasses import dataclass

import wait
from demo_module import load

verdict = load("verdict")

KINDS = ("sh", "text")
_FIRST = re.compile(r"# on (.+?)(, after some seconds)?")
_HEADING = re.compile(r"#+ (.+)")
PATIENCE = 60


@dataclass
class Block:
    """Commands, and what they print. `place` is their line in the
    document."""
    place: str
    machines: list
    is_late: bool
    script: str
    shown: list


def sections(text):
    """Returns the blocks below each heading, by the heading, in the order of
    the text."""
    found, heading, block = {}, "", None
    for place, kind, lines in _parts(text):
        if kind == "heading":
            heading, block = lines[0], None
            assert heading not in found, f"{place}: a second `{heading}`"
            found[heading] = []
        elif kind == "sh":
            block = _block(place, lines)
            found[heading].append(block)
        elif kind == "text":
            assert block, f"{place}: no commands stand right above it"
            block.shown, block = [line.strip() for line in lines], None
        else:
            block = None
    return found


def _parts(text):
    """Yields (place, kind, lines): kind is `heading`, that of a fenced block,
    or `words`."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        place = f"line {number}"
        heading = _HEADING.fullmatch(line)
        if fence:
            if line == "```":
                yield fence
                fence = None
            else:
                fence[2].append(line)
        elif line.startswith("```"):
            fence = place, line[3:], []
            assert fence[1] in KINDS, f"{place}: {line}: not one of {KINDS}"
        elif heading:
            yield place, "heading", [heading[1]]
        else:
            yield place, "words", [line]
    assert not fence, f"{fence[0]}: the block has no end"


def _block(place, lines):
    first = _FIRST.fullmatch(lines[0])
    assert first, f"{place}: its first line is not `# on MACHINE`"
    names = re.split(", | and ", first[1])
    return Block(place, names, bool(first[2]), "\n".join(lines), [])


def run(block, machines):
    """Runs a block on its machines, which are given by their names. Raises an
    AssertionError if it fails or prints something else."""
    for name in block.machines:
        _run(block, machines[name])


def _run(block, machine):
    wrong = _wrong(block, machine)
    if wrong and block.is_late:
        wait.until(lambda: not _wrong(block, machine), PATIENCE, wrong)
    else:
        assert not wrong, wrong


def _wrong(block, machine):
    """Runs a block once. Returns what is wrong with it, or ""."""
    done = machine.tries("bash", "-ec", block.script)
    lines = list(filter(str.strip, done.stdout.splitlines()))
    lacks = verdict.missing(block.shown, done.stdout)
    if done.returncode != 0:
        wrong = f"exit status {done.returncode}"
    elif lacks:
        wrong = f"it does not print: {lacks}"
    elif (block.shown and verdict.ANYTHING not in block.shown
          and len(lines) > len(block.shown)):
        wrong = "it prints more than is shown"
    else:
        return ""
    return f"{block.place}: {wrong}\n{block.script}\n{done.stdout}"
