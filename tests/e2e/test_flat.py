"""nerve's memory does not grow with the number of its checks.

CHECKS says how many: 100,000 for the long form.
"""

import os

import wait
from metrics import Pages
from nerve import watched

CHECKS = int(os.environ.get("CHECKS") or 16000)
WARM_UP = 4000
SERVICES = 20
GROWTH = 1024  # kB: a thread's first use of its stack, some pages


def resident(process):
    """In kB."""
    with open(f"/proc/{process.pid}/status") as file:
        return int(next(line for line in file
                        if line.startswith("VmRSS:")).split()[1])


def test_memory_is_flat_over_many_checks(sandbox, healthy, path):
    """All types at once; some of the checks fail."""
    one, two = sandbox.service("one"), sandbox.service("two", health="down")
    pages = Pages()
    kinds = ({"type": "http", "uri": "/health"}, {"type": "tcp"},
             {"type": "noop"}, {"type": "tcp", "send": "GET / HTTP/1.0\r\n\r\n",
                                "expect": "HTTP/1.1 200"})
    nerve = sandbox.nerve("one", {
        f"s{n}": watched(
            (one, two)[n // 4 % 2], healthy, f"{path}/{n}", check_interval=0.03,
            checks=[{"timeout": 2, **kind} for kind in kinds[n % 4:]])
        for n in range(SERVICES)}, metrics_listen=pages.listen)

    def ended():
        return sum(value for (name, _), value in pages.samples().items()
                   if name == "nerve_checks_total")

    wait.until(lambda: pages.ask("/metrics")[0] == 200, 10, "it listens")
    wait.until(lambda: ended() > WARM_UP, 120, f"{WARM_UP} checks")
    before = resident(nerve.process)
    wait.until(lambda: ended() > WARM_UP + CHECKS, CHECKS / 50,
               f"{CHECKS} checks more")
    growth = resident(nerve.process) - before
    print(f"{before} kB resident, {growth} kB more after {CHECKS} checks")
    assert growth <= GROWTH
