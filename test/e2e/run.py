#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end tests: run.py [--jobs N] [PATTERN ...]

They mostly wait, so N classes of cases run side by side (4 without --jobs), each process with its own
Consul and its own range of ports. Classes that say `slow = True` begin first.

A pattern is a part of "file.Class.case", as printed. One line a case; the details of what failed
come at once below it, and their ends once more at the bottom, where a log that was cut still shows
them. The last line is "e2e: N passed, N failed, N skipped, N unstable"; exit status 1 when a case
failed or none ran. $FRONTDESK_BIN names the binary, build/release/frontdesk without it.

The cases run real programs on a machine that others use too. So what failed runs once more, alone,
after all the others: a defect fails twice, a case that was only starved of time passes then. It is
"unstable", which fails no run but is shown with its problem, because either the case or the gateway
has a race that wants to be found. More than MOST_AGAIN failures are no accident, and neither is a
gateway that crashed or that a sanitizer complained about: no second run for these.
"""
import argparse
import atexit
import contextlib
import io
import multiprocessing
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

MOST_AGAIN = 3
LAST_LINES = 25
NO_ACCIDENT = ("exit status", "ended with status", "sanitizer report")


def cases(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases(item)
        else:
            yield item


def indented(text):
    return "    " + text.rstrip().replace("\n", "\n    ")


class OneLine(unittest.TestResult):
    """passed / failed / skipped, with the time that the case took; `problems` is {id: text} of what
    failed."""

    def __init__(self):
        super().__init__()
        self.counts = {"passed": 0, "failed": 0, "skipped": 0, "unstable": 0}
        self.began = 0.0
        self.problems = {}
        self.texts = []
        self.why_skipped = None

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.texts = []
        self.why_skipped = None

    def addError(self, test, error):
        super().addError(test, error)
        starts_none = not isinstance(test, unittest.TestCase)  # a setUpClass that failed
        if starts_none:
            self.startTest(test)
        self.texts.append(self.errors[-1][1])
        if starts_none:
            self.stopTest(test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.texts.append(self.failures[-1][1])

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.texts.append("%s: %s" % (subtest, self._exc_info_to_string(error, test)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.why_skipped = reason

    def stopTest(self, test):
        verdict = "failed" if self.texts else "skipped" if self.why_skipped else "passed"
        self.counts[verdict] += 1
        note = " (%s)" % self.why_skipped if verdict == "skipped" else ""
        print("%-7s %5.1fs  %s%s" % (verdict, time.monotonic() - self.began, test.id(), note))
        for text in self.texts:
            print(indented(text))
        if self.texts:
            self.problems[test.id()] = "\n".join(self.texts)
        sys.stdout.flush()
        super().stopTest(test)


def run_again(result):
    """Ids of the failed cases that pass alone; they no longer count as failed."""
    if not 0 < len(result.problems) <= MOST_AGAIN:
        return []
    print("again, alone:")
    again = OneLine()
    unstable = []
    for name, text in result.problems.items():
        if any(words in text for words in NO_ACCIDENT):
            continue
        before = again.counts["passed"]
        unittest.defaultTestLoader.loadTestsFromName(name).run(again)
        if again.counts["passed"] > before:
            unstable.append(name)
    result.counts["failed"] -= len(unstable)
    result.counts["unstable"] = len(unstable)
    return unstable


def groups(chosen):
    """Lists of cases, one for each class; the slow ones first, so that none is left over at the end."""
    by_class = {}
    for case in chosen:
        by_class.setdefault(type(case), []).append(case)
    return sorted(by_class.values(), key=lambda group: not getattr(group[0], "slow", False))


def work(number, jobs, lists, tasks, results):
    """One process: takes the number of a list, gives what its cases printed and how they ended."""
    from lib import wait
    wait.use_slice(number, jobs)
    for task in iter(tasks.get, None):
        result, printed = OneLine(), io.StringIO()
        with contextlib.redirect_stdout(printed):
            unittest.TestSuite(lists[task]).run(result)
        results.put((result.counts, result.problems, printed.getvalue()))
    results.put(None)
    # A forked process leaves without this: the Consul of its cases would stay.
    atexit._run_exitfuncs()


def run_side_by_side(lists, jobs):
    """One result of all. A process that dies takes its cases with it: they count as one failure."""
    context = multiprocessing.get_context("fork")
    tasks, results, whole = context.SimpleQueue(), context.Queue(), OneLine()
    workers = [context.Process(target=work, args=(number, jobs, lists, tasks, results))
               for number in range(jobs)]
    for task in list(range(len(lists))) + [None] * jobs:
        tasks.put(task)
    for worker in workers:
        worker.start()
    for _ in range(len(lists) + jobs):
        got = next_result(results, workers)
        if got is None:
            continue
        counts, problems, printed = got
        for verdict, count in counts.items():
            whole.counts[verdict] += count
        whole.problems.update(problems)
        sys.stdout.write(printed)
        sys.stdout.flush()
    for worker in workers:
        worker.join(60)
    return whole


def next_result(results, workers):
    while True:
        try:
            return results.get(timeout=10)
        except Exception:  # queue.Empty, whose class depends on the context
            if not any(worker.is_alive() for worker in workers) and results.empty():
                return {"failed": 1}, {"a process of the runner": "ended early"}, ""


def main(jobs, patterns):
    suite = unittest.defaultTestLoader.discover(HERE, pattern="test_*.py", top_level_dir=HERE)
    chosen = [case for case in cases(suite)
              if not patterns or any(word in case.id() for word in patterns)]
    lists = groups(chosen)
    if jobs > 1 and len(lists) > 1:
        result = run_side_by_side(lists, jobs)
    else:
        result = OneLine()
        unittest.TestSuite(chosen).run(result)
    unstable = run_again(result)
    for name, text in result.problems.items():
        print("%s: %s" % ("unstable" if name in unstable else "failed", name))
        print(indented("\n".join(text.rstrip().splitlines()[-LAST_LINES:])))
    print("e2e: %(passed)d passed, %(failed)d failed, %(skipped)d skipped, %(unstable)d unstable"
          % result.counts)
    return 0 if result.counts["passed"] + len(unstable) and not result.counts["failed"] else 1


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--jobs", type=int, default=4)
    options.add_argument("patterns", nargs="*", metavar="PATTERN")
    options = options.parse_args()
    sys.exit(main(options.jobs, options.patterns))
