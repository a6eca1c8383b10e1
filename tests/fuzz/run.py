#!/usr/bin/python3
"""Runs every fuzz, each for its share of the time.

    tests/fuzz/run.py SECONDS

Those in C are build/fuzz/fuzz_*, those in Lua
tests/fuzz/{boundary,live,orders,texts}.lua.
What libFuzzer finds worth keeping stays in build/fuzz/corpus, and the input
that made one fail in build/fuzz. FUZZ_SEED=N, as printed, is the seed of all.
"""
import glob
import os
import random
import subprocess
import sys
import time
from concurrent import futures

BUILD = "build/fuzz"
HERE = "tests/fuzz"
IN_LUA = ("live", "orders", "texts")  # beside boundary
AT_ONCE = 2
SLACK = 120  # seconds a fuzz may take beyond its share


def in_c(path, share, seed):
    """Returns the command for a harness of libFuzzer."""
    name = os.path.basename(path)[len("fuzz_"):]
    kept = f"{BUILD}/corpus/{name}"
    os.makedirs(kept, exist_ok=True)
    return name, [path, f"-max_total_time={share}", f"-seed={seed}",
                  "-timeout=10", "-rss_limit_mb=1024", "-max_len=8192",
                  "-verbosity=0", "-print_final_stats=1",
                  f"-artifact_prefix={BUILD}/{name}-",
                  kept, f"{HERE}/corpus/{name}"]


def in_lua(name, share, seed):
    """Returns the command for a program in Lua."""
    return name, [f"lua{os.environ['LUA']}", f"{HERE}/{name}.lua",
                  "--seconds", str(share), "--seed", str(seed)]


def summary(output):
    """Returns how much a fuzz says that it tried."""
    for line in output.splitlines():
        if line.startswith("stat::number_of_executed_units:"):
            return line.split()[-1] + " inputs"
        if line.endswith(" cases"):
            return line.split(": ", 1)[1]
    return "nothing"


def run(share, name, command):
    """Runs one fuzz; returns whether it found nothing."""
    env = dict(os.environ, LUA_PATH="lua/?.lua;;",
               LUA_CPATH=f"build/lua{os.environ['LUA']}/?.so;;")
    try:
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=share + SLACK,
                              stdin=subprocess.DEVNULL, check=False)
        output, good = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired as late:
        output, good = (late.stdout or b"").decode(errors="replace"), False
    good = good and not summary(output).startswith(("0 ", "nothing"))
    trace = "" if good else f"{output}\n{name}: FAILED\n"
    print(f"{trace}{name}: {summary(output)}", flush=True)
    return good


def main(seconds):
    """Runs all; the last line is one that tests/run.py counts."""
    seed = int(os.environ.get("FUZZ_SEED", 0)) or \
        random.SystemRandom().randrange(1, 1000000000)
    harnesses = sorted(path for path in glob.glob(f"{BUILD}/fuzz_*")
                       if os.access(path, os.X_OK))
    # The trust boundary gets one of the two places for itself.
    share = max(1, seconds // (len(harnesses) + len(IN_LUA)))
    fuzzes = [(seconds, *in_lua("boundary", seconds, seed))]
    fuzzes += [(share, *in_lua(name, share, seed)) for name in IN_LUA]
    fuzzes += [(share, *in_c(path, share, seed)) for path in harnesses]
    print(f"fuzz: seed {seed}")
    start = time.monotonic()
    with futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda fuzz: run(*fuzz), fuzzes))
    failed = results.count(False)
    print(f"{len(results) - failed} successes / {failed} failures / 0 errors :"
          f" fuzzes in {time.monotonic() - start:.0f} s")
    return 1 if failed or not harnesses else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
