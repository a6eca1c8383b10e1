"""The guide from zero to a service, and the runbook: their commands run as
they are written, on machines that systemd has booted, and print what the
documents show."""

import os
import re

import pytest

import document
import packages
import program
import progress
import runbook
from machines import Clone, Machines

NAMES = ("one", "two", "three")


def sections(name):
    """Returns the blocks of a document by their headings."""
    with open(f"{program.ROOT}/haproxy/{name}") as file:
        return document.sections(file.read())


GUIDE, RUNBOOK = sections("GUIDE.md"), sections("OPERATE.md")
PAGES = [heading for heading, blocks in RUNBOOK.items() if blocks]


def part(first, last):
    """Returns the guide's blocks below the headings from `first` to
    `last`."""
    headings = list(GUIDE)
    return [block for heading in headings[
        headings.index(first):headings.index(last) + 1]
            for block in GUIDE[heading]]


@pytest.fixture(scope="module")
def machines(module_sandbox):
    """The machines as they are at the guide's end."""
    folder = module_sandbox.path("debs")
    progress.say("the guide: the packages are built, a minute")
    for block in GUIDE["Make the packages"]:
        document.run(block, {block.machines[0]: Clone(folder)})
    made = Machines(module_sandbox, packages.files(
        folder, packages.version_here()))
    for name in NAMES:
        progress.say(f"the guide: machine {name}, half a minute")
        made.boot(name)
        made.follow(part("Install", "Break it"), name)
    made.follow(part("Three machines", "Prometheus"))
    return made


def test_the_guide_leads_from_nothing_to_three_machines(machines):
    for machine in machines.values():
        assert "3/3" in machine.output("synapsectl", "status")


@pytest.mark.parametrize("page", PAGES)
def test_each_page_of_the_runbook_mends_what_it_is_about(machines, page):
    """In the order of the pages: some leave the machines changed."""
    if page in runbook.BREAKS:
        runbook.BREAKS[page](machines, GUIDE)
    machines.follow(RUNBOOK[page])


def anchors(name):
    """Returns what a link may name in a document of haproxy/."""
    with open(f"{program.ROOT}/haproxy/{name}") as file:
        headings = re.findall(r"^#+ (.+)$", file.read(), re.M)
    return {re.sub(r"[^\w -]", "", it.lower()).replace(" ", "-")
            for it in headings}


def test_each_alert_leads_to_what_to_do():
    with open(f"{program.ROOT}/haproxy/alerts.yml") as file:
        text = file.read()
    runbooks = re.findall(r"^ +runbook: (\S+)#(\S+)$", text, re.M)
    assert len(runbooks) == text.count("- alert: ")
    for name, anchor in runbooks:
        assert anchor in anchors(name), anchor


def test_each_break_has_its_page():
    assert set(runbook.BREAKS) <= set(PAGES)


@pytest.mark.parametrize("text, wrong", [
    ("```sh\nls\n```", "line 2: its first line is not `# on MACHINE`"),
    ("```text\na\n```", "line 2: no commands stand right above it"),
    ("```sh\n# on one\n```\n\n```text\na\n```", "line 6: no commands stand"),
    ("```\na\n```", "line 2: ```: not one of"),
    ("```sh\n# on one", "line 2: the block has no end"),
    ("# A\n", "line 2: a second `A`"),
])
def test_a_document_that_cannot_be_run_is_refused(text, wrong):
    with pytest.raises(AssertionError) as caught:
        document.sections(f"# A\n{text}")
    assert str(caught.value).startswith(wrong)


class Here:
    """This machine."""

    def tries(self, *argv):
        return packages.outcome(*argv)


@pytest.mark.parametrize("commands, shown, wrong", [
    ("echo a; echo b", "a\nb", None),
    ("echo a; echo b", "a\n...", None),
    ("echo a; echo b", "a", "it prints more than is shown"),
    ("echo a", "b", "it does not print: b"),
    ("false", "", "exit status 1"),
    ("false; true", "", "exit status 1"),
])
def test_what_a_block_prints_is_compared(commands, shown, wrong):
    text = f"# A\n```sh\n# on one\n{commands}\n```\n"
    text += f"```text\n{shown}\n```\n" if shown else ""
    [block] = document.sections(text)["A"]
    if wrong is None:
        document.run(block, {"one": Here()})
        return
    with pytest.raises(AssertionError) as caught:
        document.run(block, {"one": Here()})
    assert wrong in str(caught.value)


def test_a_block_may_take_some_seconds_if_it_says_so(sandbox):
    place = sandbox.path("mark")
    text = (f"```sh\n# on one and two, after some seconds\n"
            f"test -e {place} || {{ touch {place}; exit 1; }}\n```\n")
    [block] = document.sections(f"# A\n{text}")["A"]
    document.run(block, {"one": Here(), "two": Here()})
    assert os.path.exists(place)
