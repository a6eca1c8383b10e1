"""All pieces of a stack: made, started and ended in the right order."""

import wait
from haproxy import HAProxy
from nerve import Nerve
from service import Service
from zookeeper import ZooKeeper

# In the order of their start: each needs those before it.
KINDS = {kind.kind: kind for kind in (ZooKeeper, Service, Nerve, HAProxy)}
START_SECONDS = 40


class Broken(Exception):
    """A piece does not do its work."""


def pieces_of(stack):
    """One object for each piece on each machine, in the order of their start.
    """
    return [kind(stack, machine) for name, kind in KINDS.items()
            for machine in stack.machines if name in machine.pieces]


def start(pieces):
    """Starts them, one kind after the other and all of a kind at once. Yields
    each when it does its work; raises Broken with the last words of one that
    does not."""
    for piece in pieces:
        piece.configure()
    for kind in KINDS:
        some = [piece for piece in pieces if piece.kind == kind]
        for piece in some:
            piece.start()
        for piece in some:
            _wait_for(piece)
            yield piece


def _wait_for(piece):
    try:
        wait.until(lambda: piece.end() or piece.says(), START_SECONDS,
                   f"{piece.name} does its work")
    except wait.Late as late:
        raise Broken(f"{late}\n{piece.last_words()}") from None
    if piece.end():
        raise Broken(f"{piece.name} has ended: {piece.end()}\n"
                     f"{piece.last_words()}")


def stop(pieces):
    """Ends all: ZooKeeper last, so that nerve can take its znodes away.
    Returns a sentence for each that had to be forced."""
    troubles = []
    for last in (False, True):
        some = [piece for piece in pieces
                if (piece.kind == "zookeeper") == last]
        for piece in some:
            piece.ask_to_stop()
        troubles += filter(None, [piece.finish() for piece in some])
    return troubles
