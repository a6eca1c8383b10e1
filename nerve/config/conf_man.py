#!/usr/bin/python3
"""Writes the manual page nerve.conf(5) to standard output: the sections of
README.md about the configuration, so that each key is documented once.

    nerve/conf_man.py VERSION <nerve/README.md

It knows what these sections have: headings, paragraphs, lists, indented examples,
and tables whose first column is a key.
"""
import re
import sys

SECTIONS = ("A minimal configuration", "Keys", "Checks", "Rate limiting",
            "Credentials")
BEYOND = "### Every key"

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
and nerve's README.md, which has everything else.
"""


def escaped(text):
    """Plain text as roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + text if text.startswith(".") else text


def inline(text):
    """A paragraph's text: links without their targets, keys in bold."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text.strip())
    text = re.sub(r"\*\*(.*?)\*\*", r"`\1`", text)
    text = re.sub(r"(^| )\*([a-z ]+)\*", r"\1\2", text)
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
                "example" if line.startswith("    ") else
                "list" if line.startswith(("- ", "  ")) else "text")
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
                title = line.strip("# `\n")
                yield f".SH {escaped(title).upper()}"
        elif kind == "table":
            for line in group[2:]:
                yield from entry(line)
        elif kind == "example":
            yield from (".PP", ".nf", ".RS")
            for line in group:
                yield escaped(line[4:].rstrip("\n"))
            yield from (".RE", ".fi")
        elif kind == "list":
            for item in "".join(group).removeprefix("- ").split("\n- "):
                yield ".IP \\(bu 2"
                yield inline(" ".join(item.split()))
        elif kind == "text":
            yield ".PP"
            yield inline(" ".join(line.strip() for line in group))


def section(text, title):
    """The lines of a section, without its heading."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return found[1].splitlines(keepends=True)


def main(version):
    text = sys.stdin.read().split(BEYOND)[0]
    print(HEAD.format(version=version), end="")
    for title in SECTIONS:
        lines = section(text, title)
        if title not in SECTIONS[:2]:
            lines = [f"## {title}\n", "\n", *lines]
        print("\n".join(page(lines)))
    print(TAIL, end="")


if __name__ == "__main__":
    main(sys.argv[1])
