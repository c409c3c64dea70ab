#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end tests one after the other: run.py [PATTERN ...]

A pattern is a part of "file.Class.case", as printed. One line a case; the details of what failed
come at once below it. The last line is "e2e: N passed, N failed, N skipped"; exit status 1 when a
case failed or none ran. $FRONTDESK_BIN names the binary, build/release/frontdesk without it.
"""
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True


def cases(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases(item)
        else:
            yield item


class OneLine(unittest.TestResult):
    """passed / failed / skipped, with the time that the case took."""

    def __init__(self):
        super().__init__()
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.began = 0.0
        self.problems = []
        self.why_skipped = None

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.problems = []
        self.why_skipped = None

    def addError(self, test, error):
        super().addError(test, error)
        self.problems.append(self.errors[-1][1])

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.problems.append(self.failures[-1][1])

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.problems.append("%s: %s" % (subtest, self._exc_info_to_string(error, test)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.why_skipped = reason

    def stopTest(self, test):
        verdict = "failed" if self.problems else "skipped" if self.why_skipped else "passed"
        self.counts[verdict] += 1
        note = " (%s)" % self.why_skipped if verdict == "skipped" else ""
        print("%-7s %5.1fs  %s%s" % (verdict, time.monotonic() - self.began, test.id(), note))
        for problem in self.problems:
            print("    " + problem.rstrip().replace("\n", "\n    "))
        sys.stdout.flush()
        super().stopTest(test)


def main(patterns):
    result = OneLine()
    suite = unittest.defaultTestLoader.discover(HERE, pattern="test_*.py", top_level_dir=HERE)
    chosen = unittest.TestSuite(case for case in cases(suite)
                                if not patterns or any(word in case.id() for word in patterns))
    chosen.run(result)
    # A file that does not load, or a setUpClass that fails, is no case: it must not pass in silence.
    broken = len(result.errors) + len(result.failures)
    if broken and not result.counts["failed"]:
        result.counts["failed"] = broken
        for _, text in result.errors + result.failures:
            print(text)
    print("e2e: %(passed)d passed, %(failed)d failed, %(skipped)d skipped" % result.counts)
    return 0 if result.counts["passed"] and not result.counts["failed"] else 1


if __name__ == "__main__":
    if set(sys.argv[1:]) & {"-h", "--help"}:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
