#!/usr/bin/python3
"""Writes the manual page nerve.conf(5) to standard output: the part of README.md
that tells of the configuration, so that there is one text of every key.

    nerve/conf_man.py VERSION <nerve/README.md

It knows what that part has: headings, paragraphs, indented examples, and tables
whose first column is a key.
"""
import re
import sys

FIRST, BEYOND = "## A configuration", "### Every key"

HEAD = r""".TH NERVE.CONF 5 "" "nerve {version}" ""
.SH NAME
nerve.conf \- what nerve checks and registers
.SH DESCRIPTION
The file that
.BR nerve (8)
is given with
.BR \-c .
"""

TAIL = r""".SH SEE ALSO
.BR nerve (8),
and nerve's README.md for all that is told \(lqbelow\(rq and not here.
"""


def escaped(text):
    """Plain text as roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + text if text.startswith(".") else text


def inline(text):
    """A paragraph's text: links without their targets, keys in bold."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text.strip())
    parts = re.split(r"`([^`]*)`", text)
    return "".join(rf"\fB{escaped(part)}\fR" if odd % 2 else escaped(part)
                   for odd, part in enumerate(parts))


def entry(line):
    """A row of a table; its last cell may hold a "|" of its own."""
    cells = [cell.strip() for cell in line.strip("|\n ").split(" | ")]
    key, kind, default, means = (cells + ["", ""])[:4]
    return [".TP", f"{inline(key)} ({inline(kind)}; {inline(default)})",
            inline(means) or "\\&"]


def blocks(lines):
    """Groups lines of one kind: (kind, lines)."""
    group, last = [], None
    for line in lines:
        kind = ("empty" if not line.strip() else
                "heading" if line.startswith("#") else
                "table" if line.startswith("|") else
                "example" if line.startswith("    ") else "text")
        if kind != last and group:
            yield last, group
            group = []
        group.append(line)
        last = kind
    yield last, group


def page(lines):
    """The lines of the page between its head and its tail."""
    for kind, group in blocks(lines):
        if kind == "heading":
            for line in group:
                yield f'.SH {escaped(line.lstrip("# ").strip()).upper()}'
        elif kind == "table":
            for line in group[2:]:
                yield from entry(line)
        elif kind == "example":
            yield from (".PP", ".nf", ".RS")
            for line in group:
                yield escaped(line[4:].rstrip("\n"))
            yield from (".RE", ".fi")
        elif kind == "text":
            yield ".PP"
            yield inline(" ".join(line.strip() for line in group))


def main(version):
    lines = sys.stdin.readlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(FIRST))
    beyond = next(n for n, line in enumerate(lines) if line.startswith(BEYOND))
    print(HEAD.format(version=version), end="")
    print("\n".join(page(lines[first + 1:beyond])))
    print(TAIL, end="")


if __name__ == "__main__":
    main(sys.argv[1])
