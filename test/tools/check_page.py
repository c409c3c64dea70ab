#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The status page makes no markup of text, runs no text as a script, loads nothing from elsewhere, and
each of its files is served.

What a service registers and what an operator types reaches the page; it must stay text there.
"""
import os
import re
import sys

from tree import ROOT, read, report

FOLDER = "src/admin/dashboard"
# (pattern, what to do instead)
FORBIDDEN = [
    (r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc",
     "build elements with h() and text nodes"),
    (r"\beval\(|new Function|setTimeout\(\s*[\"'`]|javascript:", "no text is run as a script"),
    (r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=\"", "the page's policy forbids inline parts"),
    (r"https?://(?!www\.w3\.org/2000/svg)|url\(", "the page is whole without anything from elsewhere"),
]


def main():
    own = [FOLDER + "/" + name for name in sorted(os.listdir(os.path.join(ROOT, FOLDER)))]
    paths = ["src/admin/dashboard" + ending for ending in (".html", ".css", ".js")] + own
    table = read("src/admin/dashboard.c")
    problems = []
    for path in paths:
        for number, line in enumerate(read(path).splitlines(), 1):
            for pattern, instead in FORBIDDEN:
                found = re.search(pattern, line)
                if found:
                    problems.append("%s:%d: %s: %s" % (path, number, found.group(), instead))
    for path in own:
        if '"/dashboard/%s"' % os.path.basename(path) not in table:
            problems.append("%s: is not in the table of src/admin/dashboard.c" % path)
    return report(problems, "%d files of the status page" % len(paths))


if __name__ == "__main__":
    sys.exit(main())
