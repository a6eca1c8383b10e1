#!/usr/bin/python3
"""Holds the arrows between the folders: which may include or require which.

    tests/lint/arrows.py [ROOT]

Prints a line for each include or require that follows no arrow, with the
arrows that its folder has, and for each ring of files. A file of nerve/ or
lua/synapse/ itself counts as a folder of its own.
"""
import os
import re
import sys

# "a -> b -> c": <a> may use <b> and <c>, <b> may use <c>.
ARROWS = """
csrc/lua -> csrc/zookeeper, csrc/haproxy -> csrc/base

nerve/main -> nerve/daemon -> nerve/observe, nerve/operator, nerve/process \
  -> nerve/services -> nerve/register, nerve/checks -> nerve/measure \
  -> nerve/config -> nerve/log -> csrc/zookeeper -> csrc/base
nerve/daemon -> nerve/options
nerve/daemon, nerve/process -> nerve/signals

lua/agent -> lua/changes
lua/main -> lua/found -> lua/config
lua/agent -> lua/spare -> lua/haproxy
lua/config, lua/generate, lua/haproxy -> lua/http_check
lua/main -> lua/agent -> lua/status, lua/snapshot, lua/file_output \
  -> lua/service -> lua/haproxy -> lua/instances -> lua/log \
  -> lua/plural, lua/escape, lua/copy
lua/agent -> lua/zookeeper -> lua/instances
lua/main, lua/generate -> lua/config -> lua/instances
lua/main, lua/config, lua/generate, lua/control -> lua/c_module
lua/control -> lua/haproxy, lua/config
lua/control, lua/status -> lua/duration
"""

# What stands in <...> or is a global of HAProxy's, and who alone may use it.
OWNERS = (
    (r'#include <zookeeper/', ("csrc/zookeeper/handle.c",)),
    (r'#include <(lua|lauxlib|lualib)\.h>', ("csrc/lua/",)),
    (r'#include <curl/', ("nerve/checks/curl_loop.", "nerve/checks/http.c")),
    (r'#include <jansson\.h>', ("nerve/config/", "nerve/operator/")),
    (r'(?<![\w.])core\.\w', ("lua/synapse/main.lua", "lua/synapse/haproxy/")),
)

C_USE = re.compile(r'#include "([^"]+)"')
LUA_USE = re.compile(r'\brequire\s*\(?\s*"(synapse[\w.]*)"')


def arrows(text):
    """Returns {folder: the folders that it may use}."""
    direct = {}
    for line in text.replace("\\\n", "").splitlines():
        groups = [re.split(r",\s*", group.strip())
                  for group in line.split("->") if group.strip()]
        for folder in sum(groups, []):
            direct.setdefault(folder, set())
        for left, right in zip(groups, groups[1:]):
            for folder in left:
                direct[folder].update(right)
    for _ in direct:
        for uses in direct.values():
            uses.update(*(direct[used] for used in uses))
    return direct


def folder_of(path):
    """Returns the folder that <path> counts to: nerve/log for nerve/log.c."""
    place = os.path.splitext(path.replace("lua/synapse/", "lua/"))[0]
    return "/".join(place.split("/")[:2])


def sources(root):
    """Returns the paths of all C and Lua files below <root>, sorted."""
    found = []
    for top in ("csrc", "nerve", "lua/synapse"):
        for place, _, names in os.walk(os.path.join(root, top)):
            found += [os.path.relpath(os.path.join(place, name), root)
                      for name in names
                      if os.path.splitext(name)[1] in (".c", ".h", ".lua")]
    return sorted(path for path in found
                  if not path.startswith("csrc/examples/"))


def used_file(root, path, line):
    """Returns the file that <line> of <path> includes or requires, or None."""
    if path.endswith(".lua"):
        match = LUA_USE.search(line.split("--")[0])
        if not match:
            return None
        module = "lua/" + match.group(1).replace(".", "/")
        package = module + "/init.lua"
        return package if os.path.exists(os.path.join(root, package)) \
            else module + ".lua"
    match = C_USE.match(line)
    return match.group(1) if match else None


def fault_of(path, line, used, allowed):
    """Returns what is wrong with what <line> uses, or None."""
    here = folder_of(path)
    if here not in allowed:
        return f"no arrow names {here}"
    if used and folder_of(used) not in allowed[here] | {here}:
        there = folder_of(used)
        may = ", ".join(sorted(allowed[here])) or "nothing"
        return f"{here} may not use {there}; it may use {may}"
    code = line.split("--")[0] if path.endswith(".lua") else line
    for pattern, owners in OWNERS:
        match = re.search(pattern, code)
        if match and not path.startswith(owners):
            what = match.group().split("<")[-1].split(".")[0].strip("/>")
            return f"{what} is for {', '.join(owners)} alone"
    return None


def rings(graph):
    """Returns the sets of files that reach each other, and so themselves.

    What a .c file shares with its .h counts as one file. A header alone, which
    says what files of one kind have in common, is no part of a ring.
    """
    reached = {}
    for start in graph:
        seen, todo = set(), [start]
        while todo:
            for used in graph.get(todo.pop(), ()):
                if used not in seen:
                    seen.add(used)
                    todo.append(used)
        reached[start] = seen
    return {tuple(sorted(used for used in reached[start]
                         if start in reached.get(used, ())))
            for start in graph if start in reached[start]}


def check(root, allowed):
    """Returns a line for each fault below <root>."""
    faults, graph = [], {}
    for path in sources(root):
        module = os.path.splitext(path)[0]
        graph.setdefault(module, set())
        alone = path.endswith(".h") and \
            not os.path.exists(os.path.join(root, module + ".c"))
        with open(os.path.join(root, path), encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                used = used_file(root, path, line)
                if used and not alone and os.path.splitext(used)[0] != module:
                    graph[module].add(os.path.splitext(used)[0])
                fault = fault_of(path, line, used, allowed)
                if fault:
                    faults.append(f"{path}:{number}: {fault}")
    faults += [f"{' and '.join(ring)} use each other"
               for ring in sorted(rings(graph))]
    return faults


def main(root):
    """Prints all faults; returns the exit status."""
    faults = check(root, arrows(ARROWS))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
