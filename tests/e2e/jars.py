"""The jars of ZooKeeper's server in the other Debian. They are fetched once and
kept as build/zookeeper-RELEASE."""

import os
import shutil
import sys
import tempfile

import program
from packages import run

sys.path.append(os.path.join(program.ROOT, "tests"))

from other import OTHER, mirror, this_release  # noqa: E402


def other():
    """The directory that has them."""
    release = OTHER[this_release()]
    place = f"{program.BUILD}/zookeeper-{release}"
    if not os.path.exists(place):
        _fetch(release, place)
    return place


def _fetch(release, place):
    """Has no package's scripts run, nor anything but files of packages."""
    root = tempfile.mkdtemp(dir=program.BUILD)
    try:
        run("mmdebstrap", "--quiet", "--variant=extract",
            "--include=libzookeeper-java", release, root, mirror())
        os.rename(f"{root}/usr/share/java", place)
    finally:
        shutil.rmtree(root)
