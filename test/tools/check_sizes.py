#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No C file above 700 lines, no function above 100.

A function is what .clang-format leaves of one: it begins with a `{` alone in the first column and
ends with the next `}` there. Tests may be as long as their tables.
"""
import sys

from tree import files, read, report

MAX_FILE, MAX_FUNCTION = 700, 100


def functions(lines):
    """(line of the brace, number of lines between the braces, name)"""
    begin = None
    for number, text in enumerate(lines, 1):
        if text == "{":
            begin = number
        elif text == "}" and begin is not None:
            yield begin, number - begin - 1, name_before(lines, begin)
            begin = None


def name_before(lines, brace):
    for text in reversed(lines[max(0, brace - 12):brace - 1]):
        if text and not text[0].isspace():
            return text.split("(")[0].split()[-1].lstrip("*")
    return "?"


def main():
    problems = []
    count = 0
    for path in files(".c"):
        if path.startswith("test/"):
            continue
        count += 1
        lines = read(path).splitlines()
        if len(lines) > MAX_FILE:
            problems.append("%s: %d lines, %d allowed: a file is one idea, split it"
                            % (path, len(lines), MAX_FILE))
        for line, length, name in functions(lines):
            if length > MAX_FUNCTION:
                problems.append("%s:%d: %s() has %d lines, %d allowed: name its parts"
                                % (path, line, name, length, MAX_FUNCTION))
    return report(problems, "%d files within their limits" % count)


if __name__ == "__main__":
    sys.exit(main())
