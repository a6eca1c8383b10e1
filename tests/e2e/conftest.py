"""What every end-to-end test gets, and what is shown when it fails."""

import importlib.util
import os
import shutil
import signal
import threading

import pytest

import load
import program
import progress
import zookeeper as zookeeper_module
from sandbox import Sandbox, living

# The end of each log: enough to see what a program did last.
LOG_LIMIT = 15000

# The name under which a report has the counts of a load.
COUNTS = "requests"


def missing():
    """Returns the names of what the tests need and this machine lacks."""
    tools = ["chromedriver", "chromium", "curl", "dnsmasq", "gdb", "haproxy",
             "ip", "java", "lintian", program.LUA, "man", "mmdebstrap", "mount",
             "nm", "nsenter", "prlimit", "promtool", "socat", "ss", "strace",
             "systemd-analyze", "unshare", "valgrind"]
    files = [f"{zookeeper_module.JARS}/zookeeper.jar", program.NERVE,
             program.MODULE, program.AGENT]
    lacks = [name for name in tools if not shutil.which(name)]
    lacks += [name for name in files if not os.path.exists(name)]
    lacks += [name for name in ("grpc", "kazoo", "selenium")
              if importlib.util.find_spec(name) is None]
    if os.geteuid() != 0:
        lacks.append("root's rights (HAProxy's chroot and user, namespaces)")
    return lacks


def pytest_configure(config):
    progress.capture = config.pluginmanager.getplugin("capturemanager")


def pytest_sessionstart():
    # Ended from outside, a run still ends what it has started. A worker of
    # xdist may run its session outside its main thread, and has no signals then.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    lacks = missing()
    if lacks:
        pytest.exit("the end-to-end tests need what is not here: "
                    + ", ".join(lacks) + " (try: make deps-test all)", 3)


@pytest.fixture(scope="session")
def shared():
    """A sandbox for what all tests share and none may break."""
    yield from _sandbox()


@pytest.fixture(scope="module")
def module_sandbox():
    """Starts programs for the tests of one file and ends them after those."""
    yield from _sandbox()


@pytest.fixture
def sandbox():
    """Starts programs for one test and ends them after it."""
    yield from _sandbox()


def _sandbox():
    made = Sandbox()
    yield made
    troubles = made.close()
    logs = _text(made) if troubles else ""
    made.remove()
    assert not troubles, "; ".join(troubles) + "\n" + logs


@pytest.fixture(scope="session")
def healthy(shared):
    """A ZooKeeper that every test may use and none may stop."""
    return shared.zookeeper("shared-zookeeper")


@pytest.fixture(scope="session")
def witness(healthy):
    """An independent client of the healthy ZooKeeper."""
    return healthy.client()


@pytest.fixture(scope="session")
def browser(shared):
    """One browser for all tests, because it starts more slowly than most of
    them run. Tests without it need no Selenium."""
    from browser import Browser
    return Browser(shared)


@pytest.fixture
def path(request):
    """The path of this test's instances."""
    return f"/e2e/{os.getpid()}/{abs(hash(request.node.nodeid))}/services"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Adds to the report the counts of the loads that have ended, and to that
    of a failed test the logs of every process."""
    item.user_properties[:] = [(COUNTS, str(one)) for one in load.finished]
    load.finished.clear()
    outcome = yield
    report = outcome.get_result()
    if report.failed and item:
        for made in living:
            report.sections.append(("logs of its processes", _text(made)))


def _text(sandbox):
    return "\n".join(f"--- {name}\n{_without_traces(text)[-LOG_LIMIT:]}"
                     for name, text in sandbox.logs())


def _without_traces(text):
    """Leaves out Java's stack traces, which say nothing here."""
    return "\n".join(line for line in text.splitlines()
                     if not line.startswith("\tat "))


def pytest_terminal_summary(terminalreporter):
    """Prints the counts of every load, which prove that no request failed.
    They come with the reports, because the tests may run in several processes.
    Prints for each failed test how to run it alone."""
    counts = [text for reports in terminalreporter.stats.values()
              for report in reports
              for name, text in getattr(report, "user_properties", ())
              if name == COUNTS]
    if counts:
        terminalreporter.section("requests")
    for text in counts:
        terminalreporter.write_line(text)
    for test in sorted({
            os.path.basename(report.nodeid.partition("[")[0])
            for kind in ("failed", "error")
            for report in terminalreporter.stats.get(kind, [])}):
        terminalreporter.write_line(f"again: make e2e ONLY={test}")
