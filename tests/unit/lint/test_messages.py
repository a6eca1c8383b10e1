"""Messages with a number: "1 slots" and "the 1 previous ones stay" were logged.

What counts things in a message goes through `plural` in Lua, and through
"%s" with an "s" or nothing in C, so that 0, 1 and 2 are all said right. This
reads every string of both programs for a number before a word for many.
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]

STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
NUMBER = r"%(?:l?l?[du]|zu)"
THINGS = ("answer backend change check client command descriptor directory "
          "error event failure file host instance key label line machine name "
          "pass path process program record registration request server "
          "service session slot source success time watch word znode").split()
COUNTED = re.compile(
    NUMBER + r" (?:[a-z]+ ){0,2}?(?:" +
    "|".join(thing + ("es" if thing.endswith(("s", "ch")) else "s")
             for thing in THINGS) + r")\b")

# Where the number is never 1: "file: the string".
NEVER_ONE = {
    # At least three, or there is no mass removal.
    "lua/synapse/service/wanted.lua: %d of %d instances are gone ",
    "lua/synapse/config/compare.lua: %d of %d services would leave ",
    # A constant.
    "lua/synapse/config/server_options.lua: has more than %d words",
}


def strings(text):
    """The strings of a source; those that follow each other are one."""
    text = re.sub(r'"\s*(?:\.\.)?\s*"', "", text)
    text = re.sub(r'" PRI[diu]64 "', "llu", text)
    return [match[1] for match in STRING.finditer(text)]


def wrong(root):
    found = []
    for folder, end in (("lua/synapse", "lua"), ("nerve", "c"), ("csrc", "c")):
        for path in sorted((root / folder).rglob(f"*.{end}")):
            place = path.relative_to(root)
            found += [f"{place}: {text}" for text in strings(path.read_text())
                      if COUNTED.search(text)]
    return found


def test_each_number_agrees_with_what_it_counts():
    assert [line for line in wrong(ROOT)
            if not any(line.startswith(known) for known in NEVER_ONE)] == []


def test_each_exception_is_still_needed():
    for known in NEVER_ONE:
        assert any(line.startswith(known) for line in wrong(ROOT)), known


def test_a_wrong_one_is_found(tmp_path):
    (tmp_path / "nerve").mkdir()
    (tmp_path / "nerve" / "a.c").write_text(
        'f("%zu services");\ng("%" PRIu64 " late "\n "checks");\n'
        'h("%d service%s", n, n == 1 ? "" : "s");\n')
    assert wrong(tmp_path) == ["nerve/a.c: %zu services",
                               "nerve/a.c: %llu late checks"]
