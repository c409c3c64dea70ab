#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every source file says its licence in its first lines."""
import os
import sys

from tree import ROOT, files, read, report

LINE = "SPDX-License-Identifier: Apache-2.0"
# Beside these endings: every executable script without one.
ENDINGS = (".c", ".h", ".def", ".py", ".sh", ".cmake", ".service", ".yaml", ".conf", "CMakeLists.txt")


def scripts():
    return [path for path in files("") if read(path).startswith("#!")]


def main():
    paths = sorted(set(files(*ENDINGS) + scripts()))
    problems = ["%s:1: add the line \"%s\"" % (path, LINE) for path in paths
                if not any(LINE in text for text in read(path).splitlines()[:3])]
    if not os.path.exists(os.path.join(ROOT, "LICENSE")):
        problems.append("LICENSE: is missing")
    return report(problems, "%d files carry the licence line" % len(paths))


if __name__ == "__main__":
    sys.exit(main())
