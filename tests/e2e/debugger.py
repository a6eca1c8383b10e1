"""Uses gdb to stop one thread of a process while the others run."""

import contextlib
import subprocess

import wait

GDB = ["gdb", "-q", "-nx", "-iex", "set debuginfod enabled off",
       "-iex", "set auto-solib-add off", "-iex", "set non-stop on",
       "-iex", "set pagination off", "-iex", "set confirm off",
       "-iex", "handle SIGABRT nostop noprint pass"]


def _state(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def held(process):
    """Stops the first thread of a process during the block."""
    pid = process.pid
    gdb = subprocess.Popen(
        [*GDB, "-ex", f"attach {pid} &", "-ex", "thread 1", "-ex",
         "interrupt"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait.until(lambda: _state(pid, pid) == "t", 60, "gdb holds a thread")
        yield
    finally:
        gdb.stdin.close()
        try:
            gdb.wait(30 * wait.FACTOR)
        except subprocess.TimeoutExpired:
            gdb.kill()
            gdb.wait()
