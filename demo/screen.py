"""A view of the whole stack that redraws itself and sends requests of its
own."""

import sys
import threading

import table
import wait
from haproxy import HAProxy
from machines import machine
from traffic import Traffic
from znodes import registered
from zookeeper import serves

FROM, TO = "service_b_node_1", "service_a"
REQUEST_PAUSE = 0.05
REDRAW_SECONDS = 1
CLEAR = "\033[H\033[2J"


def _through(stack):
    """Chooses the machine whose HAProxy gets the requests: not the one that
    demo/run uses, if another one runs. The two programs would take turns in
    one round robin, and each would see instances come and go."""
    return next((node for node in reversed(stack.offering(TO))
                 if HAProxy(stack, node).process.runs()), machine(FROM))


def show(stack):
    """Draws until Ctrl-C."""
    through = _through(stack)
    traffic = Traffic(stack.frontend(through, TO))
    ending = threading.Event()
    sender = threading.Thread(target=_send, args=(traffic, ending))
    sender.start()
    before = 0
    try:
        while True:
            total = traffic.total()
            _draw(stack, through, traffic, total - before)
            before = total
            wait.pause(REDRAW_SECONDS)
    finally:
        ending.set()
        sender.join()


def _send(traffic, ending):
    while not ending.wait(REQUEST_PAUSE):
        traffic.ask()


def _draw(stack, through, traffic, sent):
    clear = CLEAR if sys.stdout.isatty() else ""
    print(clear + "\n".join(_view(stack, through, traffic, sent)), flush=True)


def _view(stack, through, traffic, sent):
    yield from table.status(stack)
    yield ""
    known, rows = serves(stack), []
    for service in stack.services():
        names = registered(stack, service) if known else ["ZooKeeper is away"]
        servers = HAProxy(stack, through).serving(service)
        rows += [(f"{service} znodes", "  ".join(names) or "none"),
                 (f"{service} servers", "  ".join(servers) or "none")]
    yield from table.lines(rows, table.columns())
    yield ""
    yield (f"{TO} through {through.name}: {sent} requests since the last view, "
           f"{traffic.failed} of {traffic.total()} failed")
    yield from traffic.table()
    yield "Ctrl-C ends this view."
