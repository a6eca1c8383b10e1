"""Programs in the other Debian, with the files of a test at their places. Its
root is made by tests/other.py, and this tree is built there."""

import os
import subprocess
import sys

import program

sys.path.append(os.path.join(program.ROOT, "tests"))

import other  # noqa: E402

# $1 is the root, $2 the tree as it is built there, $3 this tree's place, $4 the
# sandbox; what follows is run. Nothing is written to the root.
ENTER = """
set -e
mount -t tmpfs none /mnt
mkdir /mnt/new /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$1,upperdir=/mnt/new,workdir=/mnt/work" none \
    /mnt/root
cd /mnt/root
mkdir -p ".$3" ".$4"
mount --bind "$2" ".$3"
mount --bind "$4" ".$4"
mount -t proc none proc
mount --rbind /dev dev
shift 4
exec chroot . "$@"
"""


class OtherDebian:
    """What is started in it is a process of this machine, in its network."""

    def __init__(self, sandbox):
        root = other.make_root(other.OTHER[other.this_release()], False)
        tree = f"{root}.tree"
        other.copy_tree(tree)
        subprocess.run(other.enter(root, tree, ["make", "all"]), check=True)
        self._root = root
        self._enter = ["unshare", "--mount", "sh", "-c", ENTER, "sh", root,
                       tree, program.ROOT, sandbox.directory]

    def command(self, *argv):
        """What runs a command there."""
        return [*self._enter, *argv]

    def user(self, name):
        """The ids of a user there, and of the user's group."""
        with open(f"{self._root}/etc/passwd") as file:
            fields = next(line.split(":") for line in file
                          if line.startswith(f"{name}:"))
        return int(fields[2]), int(fields[3])
