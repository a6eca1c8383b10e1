"""Makes, starts and ends all pieces of a stack in the right order."""

import os
import shutil
import sys

import wait
from haproxy import HAProxy
from machines import MACHINES
from nerve import Nerve
from piece import STOP_SECONDS
from service import Service
from zookeeper import ZooKeeper

# In the order of their start: each kind needs those before it.
KINDS = {kind.kind: kind for kind in (ZooKeeper, Service, Nerve, HAProxy)}
START_SECONDS = 40

CLEAR = "\r\033[K"


class Broken(Exception):
    """A piece does not work."""


def piece_of(stack, machine, kind):
    return KINDS[kind](stack, machine)


def pieces_of(stack, machines=None):
    """Returns the pieces of each machine, in the order of their start."""
    return [kind(stack, machine) for name, kind in KINDS.items()
            for machine in machines or stack.machines
            if name in machine.pieces]


def make(stack):
    """Writes the files of all pieces and saves the choices of the stack. The
    caller holds the stack's lock."""
    for name in os.listdir(stack.folder):
        shutil.rmtree(os.path.join(stack.folder, name))
    for piece in pieces_of(stack):
        piece.configure()
    stack.save()


def add(stack, service):
    """Adds the machines of a new service, and writes the files of their
    pieces. Returns them. The caller holds the stack's lock."""
    stack.new.append(service)
    machines = stack.offering(service)
    for piece in pieces_of(stack, machines):
        piece.configure()
    stack.save()
    return machines


def start(stack, pieces, tied=False):
    """Starts the pieces that do not run, one kind after the other and all of a
    kind at once. Yields each piece when it works; raises Broken with the end
    of the log of a piece that does not. A terminal shows which one is waited
    for."""
    number = 0
    for kind in KINDS:
        some = [piece for piece in pieces if piece.kind == kind]
        with stack.locked():
            for piece in some:
                if not piece.process.runs():
                    piece.start(tied)
        for piece in some:
            number += 1
            _show(f"{number} of {len(pieces)}: {piece.name} starts, "
                  f"{START_SECONDS} s at most")
            try:
                _wait_for(piece)
            finally:
                _show("")
            yield piece


def _show(text):
    """Shows a terminal what it waits for, in place of the text before; an empty
    text removes it. A file or a pipe gets nothing."""
    if sys.stdout.isatty():
        print(f"{CLEAR}{text}", end="", flush=True)


def _wait_for(piece):
    """Waits until a piece works; raises Broken if it does not."""
    try:
        wait.until(lambda: not piece.process.runs() or piece.ready(),
                   START_SECONDS, f"{piece.name} does its work")
    except wait.Late as late:
        raise Broken(f"{late}\n{piece.last_words()}") from None
    if not piece.process.runs():
        raise Broken(f"{piece.name} has ended\n{piece.last_words()}")


def stop(stack):
    """Ends everything that was ever started: ZooKeeper last, so that nerve can
    remove its znodes. Removes the folder. Returns a sentence for each piece
    that had to be killed."""
    troubles = []
    with stack.locked():
        pieces = pieces_of(stack, MACHINES)
        for last in (False, True):
            some = [piece for piece in pieces
                    if (piece.kind == "zookeeper") == last]
            for piece in some:
                piece.process.ask()
            troubles += filter(None, map(_finish, some))
        shutil.rmtree(stack.folder)
    return troubles


def _finish(piece):
    _show(f"{piece.name} ends, {STOP_SECONDS} s at most")
    trouble = piece.finish()
    _show("")
    return trouble


def running(stack):
    """Returns the running pieces of every possible machine."""
    return [piece for piece in pieces_of(stack, MACHINES)
            if piece.process.runs()]
