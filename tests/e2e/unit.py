"""A unit of systemd as it is installed: its file and those of its drop-ins,
as far as the packages' units and Debian's haproxy.service use them."""

import glob
import os
import shlex


class Unit:
    """Read below `root`, which stands for /."""

    def __init__(self, root, name):
        self._root = root
        self.name = name
        self._settings = {}
        for file in [f"{root}/lib/systemd/system/{name}", *sorted(
                glob.glob(f"{root}/*/systemd/system/{name}.d/*.conf"))]:
            self._read(file)

    def _read(self, file):
        section = ""
        for line in _lines(file):
            if line.startswith("["):
                section = line
            elif section == "[Service]":
                key, _, value = line.partition("=")
                self._settings.setdefault(key, []).append(value)

    def get(self, key, default=""):
        """The last value of a setting."""
        return self._settings.get(key, [default])[-1]

    def environment(self):
        """Its variables: the files win over the unit."""
        words = shlex.split(" ".join(self._settings.get("Environment", [])))
        for name in self._settings.get("EnvironmentFile", []):
            file = self._root + name.removeprefix("-")
            if os.path.exists(file):
                words += [shlex.split(line)[0] for line in _lines(file)]
        return dict(word.split("=", 1) for word in words)

    def commands(self, key, **more):
        """The commands of a setting such as ExecStart, `more` variables
        known: a word that is $NAME becomes the words in it."""
        known = {**self.environment(), **more}
        return [[part for word in line.split() for part in
                 (known.get(word[1:], "").split() if word[0] == "$"
                  else [word])]
                for line in self._settings.get(key, [])]


def _lines(file):
    """The lines of a file that say something."""
    with open(file) as lines:
        stripped = [line.strip() for line in lines]
    return [line for line in stripped if line and line[0] not in "#;"]
