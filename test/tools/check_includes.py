#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the includes to the modules of CMakeLists.txt.

Each `frontdesk_module(NAME FOLDER LINKS ...)` says whom a module may include; this checks that every
"module/file.h" in its files is of the module itself or of one it links (also through others), that
balancer, circuit and discovery know src/base alone, that nothing but tests includes from test/, and
that neither modules nor headers form a cycle.
"""
import os
import re
import sys

from tree import files, read, report

LEAVES = ("balancer", "circuit", "discovery")


def modules():
    """{name: (folder, [names of ours that it links])}"""
    found = {}
    for name, folder, links in re.findall(r"frontdesk_module\(\s*(\S+)\s+(\S+)\s+LINKS([^)]*)\)",
                                          read("CMakeLists.txt")):
        found[name] = (folder, links.split())
    return {name: (folder, [link for link in links if link in found])
            for name, (folder, links) in found.items()}


def reachable(name, graph):
    seen, waiting = set(), [name]
    while waiting:
        for link in graph[waiting.pop()]:
            if link not in seen:
                seen.add(link)
                waiting.append(link)
    return seen


def find_cycle(graph):
    """One cycle of the graph as a list, or None. Depth first, without recursion."""
    state = {}
    for start in sorted(graph):
        path, waiting = [], [(start, False)]
        while waiting:
            node, leaving = waiting.pop()
            if leaving:
                state[path.pop()] = "done"
            elif state.get(node) == "open":
                return path[path.index(node):] + [node]
            elif node not in state:
                state[node] = "open"
                path.append(node)
                waiting.append((node, True))
                waiting.extend((next_node, False) for next_node in sorted(graph.get(node, ())))
    return None


def main():
    all_modules = modules()
    links = {name: links for name, (_, links) in all_modules.items()}
    allowed = {name: reachable(name, links) | {name} for name in links}
    by_folder = {folder: name for name, (folder, _) in all_modules.items()}
    problems = ["CMakeLists.txt: %s links %s, but may know src/base alone" % (name, " ".join(links[name]))
                for name in LEAVES if links.get(name, ["base"]) != ["base"]]
    headers = {}
    for path in files(".c", ".h", ".def"):
        owner = by_folder.get(os.path.dirname(path))
        for line, text in enumerate(read(path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*"([^"]+)"', text)
            if not match:
                continue
            folder, _, name = match.group(1).rpartition("/")
            if owner and not folder:
                folder = owner  # a bare name is a neighbour's
            if folder.startswith("test") and not path.startswith("test/"):
                problems.append("%s:%d: only tests may include from test/" % (path, line))
            if owner and folder not in allowed[owner]:
                problems.append("%s:%d: %s may not include \"%s\": its module links %s" % (
                    path, line, owner, match.group(1), " ".join(sorted(allowed[owner]))))
            if folder in all_modules:
                target = os.path.join(all_modules[folder][0], name)
                headers.setdefault(path, set()).add(target)
    for what, graph in (("modules", links), ("headers", headers)):
        cycle = find_cycle(graph)
        if cycle:
            problems.append("cycle of %s: %s" % (what, " -> ".join(cycle)))
    if not all_modules:
        problems.append("CMakeLists.txt: no frontdesk_module() found")
    return report(problems, "includes follow the modules: %d modules, %d files" % (
        len(all_modules), len(headers)))


if __name__ == "__main__":
    sys.exit(main())
