"""The documents' tables of source files name each file, and no other."""
import os
import re
import unittest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")

# The document, the folder that its tables are about, and what is listed.
TABLES = (
    ("nerve/README.md", "nerve", ".c"),
    ("lua/README.md", "lua/synapse", ".lua"),
    ("csrc/README.md", "csrc", ".c"),
    ("demo/README.md", "demo", ".py"),
)
# A path in prose may leave out one of these.
ROOTS = ("", "nerve", "lua/synapse")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def files_below(folder, suffix):
    """The paths of all files of this kind, from the folder on."""
    top = os.path.join(TOP, folder)
    return sorted(os.path.relpath(os.path.join(place, name), top)
                  for place, _, names in os.walk(top)
                  for name in names if name.endswith(suffix))


def named_in_tables(text, suffix):
    """The paths that the tables `| file | is |` and `| `folder/` | is |` list.
    In a row, a file stands in the folder of the one before it."""
    found, folder = [], None
    for line in text.splitlines():
        head = re.match(r"\| (?:file|`([\w/]+/)`) \| is \|$", line)
        if head:
            folder = head[1] or ""
        elif not line.startswith("|"):
            folder = None
        elif folder is not None:
            inner = folder
            for name in re.findall(r"`([\w/.]+)`", line.split("|")[1]):
                if "/" in name:
                    inner = os.path.dirname(name) + "/"
                if name.endswith(suffix):
                    found.append(inner + os.path.basename(name))
    return sorted(found)


def missing(text):
    """The paths of source files in a text that lead nowhere."""
    return [path for path in re.findall(r"[\w-]+(?:/[\w-]+)+\.(?:c|lua|py)\b",
                                        text)
            if not any(os.path.isfile(os.path.join(TOP, root, path))
                       for root in ROOTS)]


class Tables(unittest.TestCase):
    """What a reader looks up is there."""

    def test_each_source_file_is_in_the_table_of_its_document(self):
        for document, folder, suffix in TABLES:
            with self.subTest(document):
                files = files_below(folder, suffix)
                named = named_in_tables(read(document), suffix)
                self.assertEqual([], sorted(set(files) - set(named)),
                                 f"not in a table of {document}")
                self.assertEqual([], sorted(set(named) - set(files)),
                                 f"not there, but in {document}")
                self.assertEqual(len(files), len(named),
                                 f"named twice in {document}")

    def test_the_files_that_decide_exist(self):
        for document in ("README.md", "CONTRIBUTING.md"):
            with self.subTest(document):
                text = read(document)
                self.assertIn("lua/synapse/", text)
                self.assertEqual([], missing(text))

    def test_a_row_may_name_several_files_of_one_folder(self):
        self.assertEqual(
            ["base/error.c", "base/text.c", "checks/dns.c", "checks/tcp.c",
             "main.c"],
            named_in_tables("| file | is |\n| --- | --- |\n"
                            "| `main.c` | as `other.c` |\n"
                            "| `checks/tcp.c`, `dns.c`, `a.h` | x |\n"
                            "\n| `base/` | is |\n|---|---|\n"
                            "| `text.c`, `error.c` | y |\n"
                            "\n| key | is |\n|---|---|\n| `no.c` | z |\n",
                            ".c"))

    def test_a_path_that_leads_nowhere_is_found(self):
        self.assertEqual(["nerve/no.c", "service/no.lua"],
                         missing("nerve/main.c nerve/no.c service/no.lua "
                                 "service/guard.lua agent.lua"))


if __name__ == "__main__":
    unittest.main()
