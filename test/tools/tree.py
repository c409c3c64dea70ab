# SPDX-License-Identifier: Apache-2.0
"""tree.py - which files are ours, for the checks of this folder."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = {".git", "build", ".cache", "corpus", "__pycache__"}


def files(*endings):
    """Paths from the root of all files with one of these endings ("" = without a dot), sorted."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(names):
            if os.path.splitext(name)[1] in endings or name in endings:
                found.append(os.path.relpath(os.path.join(folder, name), ROOT))
    return found


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def report(problems, fine):
    """Prints what is wrong, or that all is fine; the exit status."""
    for problem in problems:
        print(problem)
    if not problems:
        print(fine)
    return 1 if problems else 0
