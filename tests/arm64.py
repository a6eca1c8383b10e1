#!/usr/bin/python3
"""Builds the C parts for arm64 and runs their unit tests by qemu-user.

    tests/arm64.py

The libraries are those of this Debian for arm64, unpacked below build/arm64;
none of their programs runs. The tests run in a process namespace of their own,
whose first process inherits orphans: qemu-user cannot give them to another
one.
"""
import os
import subprocess
import sys

import other

PACKAGES = ("libc6-dev", "libzookeeper-mt-dev", "libuv1-dev", "libjansson-dev",
            "libcurl4-openssl-dev", "libmicrohttpd-dev", "libseccomp-dev",
            "liblua5.3-dev", "liblua5.4-dev", "libcmocka-dev")
BUILD = os.path.realpath("build/arm64")
ROOT = f"{BUILD}/root"
LIBRARIES = "/usr/lib/aarch64-linux-gnu"


def make_root():
    if os.path.exists(ROOT):
        return
    os.makedirs(BUILD, exist_ok=True)
    subprocess.run(["rm", "-rf", f"{ROOT}.new"], check=True)
    print(f"making {ROOT}", flush=True)
    subprocess.run(["mmdebstrap", "--quiet", "--variant=extract",
                    "--architectures=arm64", f"--include={','.join(PACKAGES)}",
                    other.this_release(), f"{ROOT}.new", other.mirror()],
                   check=True)
    os.rename(f"{ROOT}.new", ROOT)


def main():
    make_root()
    environment = dict(
        os.environ, PKG_CONFIG_SYSROOT_DIR=ROOT,
        PKG_CONFIG_LIBDIR=f"{ROOT}{LIBRARIES}/pkgconfig:"
                          f"{ROOT}/usr/share/pkgconfig",
        UNDER=f"unshare --pid --fork --kill-child qemu-aarch64 -L {ROOT}")
    for lua in ("5.3", "5.4"):
        status = subprocess.run(
            ["make", "--no-print-directory", f"LUA={lua}", "B=build/arm64",
             f"CC=aarch64-linux-gnu-gcc --sysroot={ROOT}", "all",
             *(["unit-c"] if lua == "5.3" else [])],
            env=environment, check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
