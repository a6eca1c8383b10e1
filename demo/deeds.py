"""The commands for a single piece: start, stop, crash, freeze, thaw, reload,
and the health of a service."""

import signal

import acts
from service import Service

RELOAD = {"haproxy": signal.SIGUSR2, "nerve": signal.SIGHUP}


class Refused(Exception):
    """The command is not possible in the current state."""


def start(piece):
    if piece.process.runs():
        raise Refused(f"{piece.name} runs already: pid {piece.process.pid}")
    with piece.stack.locked(), _noted("start", piece):
        piece.start()


def stop(piece):
    _must_run(piece)
    with _noted("stop", piece):
        piece.process.ask()
        return piece.finish()


def crash(piece):
    _must_run(piece)
    with _noted("crash", piece):
        piece.process.kill()


def freeze(piece):
    _must_run(piece)
    with _noted("freeze", piece):
        piece.process.send_all(signal.SIGSTOP)


def thaw(piece):
    _must_run(piece)
    with _noted("thaw", piece):
        piece.process.send_all(signal.SIGCONT)


def reload(piece):
    """Has the piece read its configuration again."""
    if piece.kind not in RELOAD:
        raise Refused(f"{piece.kind} has no reload: "
                      f"{' and '.join(RELOAD)} have")
    _must_run(piece)
    with _noted("reload", piece):
        piece.process.send(RELOAD[piece.kind])


VERBS = {"start": start, "stop": stop, "crash": crash, "freeze": freeze,
         "thaw": thaw, "reload": reload}


def set_health(stack, machine, well):
    with acts.noted(stack,
                    f"health {machine.name} {'on' if well else 'off'}"):
        Service(stack, machine).set_health(well)


def _must_run(piece):
    if not piece.process.runs():
        raise Refused(f"{piece.name} does not run: it is "
                      f"{piece.process.state()}")


def _noted(verb, piece):
    return acts.noted(piece.stack, f"{verb} {piece.name}")
