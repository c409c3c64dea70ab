#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every relative link in the documents leads to a file, and to a heading of it."""
import os
import re
import sys

from tree import ROOT, files, read, report

LINK = re.compile(r"\]\(([^()\s]+)\)")
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"#{1,6} +(.*)")
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:")


def prose(text):
    """The lines, with their numbers, that are not in a fenced or an indented block of code."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            yield number, line


def anchor(heading):
    """As GitHub makes it of a heading."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    found = set()
    for _, line in prose(read(path)):
        heading = HEADING.match(line)
        if heading:
            name, n = anchor(heading.group(1)), 0
            while name + ("-%d" % n if n else "") in found:
                n += 1
            found.add(name + ("-%d" % n if n else ""))
    return found


def problem_of(path, link, known):
    """What is wrong with the link of this file, or None. `known`: anchors of files seen so far."""
    name, _, heading = link.partition("#")
    target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
    if not os.path.exists(os.path.join(ROOT, target)):
        return "there is no %s" % target
    if not heading or not target.endswith(".md"):
        return None
    if target not in known:
        known[target] = anchors(target)
    if heading in known[target]:
        return None
    return "%s has no heading #%s" % (target, heading)


def main():
    known, problems, count = {}, [], 0
    for path in files(".md"):
        for number, line in prose(read(path)):
            for link in LINK.findall(CODE.sub("", line)):
                if ADDRESS.match(link):
                    continue
                count += 1
                problem = problem_of(path, link, known)
                if problem:
                    problems.append("%s:%d: %s: %s" % (path, number, link, problem))
    return report(problems, "%d links lead somewhere" % count)


if __name__ == "__main__":
    sys.exit(main())
