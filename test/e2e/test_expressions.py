# SPDX-License-Identifier: Apache-2.0
"""The expressions of aggregates: the command that tries them, and the same results as the reference implementation."""
import unittest

from lib import run_command
from lib.clients import have_clients, run_script
from lib.gateway import binary


class Query(unittest.TestCase):
    def query(self, *arguments, document="{}"):
        return run_command("query", *arguments, input=document)

    def test_one(self):
        self.assertEqual(self.query("items[*].{id,t: total}", document='{"items":[{"id":1,"total":1.50}]}'),
                         (0, '[{"id":1,"t":1.50}]\n', ""))

    def test_what_is_wrong(self):
        rows = ((("a[",), "{}", "column 3"), (("a",), "[", "the document ends too early"), (("length(a)",), "{}", "wrong type"))
        for arguments, document, why in rows:
            with self.subTest(why=why):
                status, _, errors = self.query(*arguments, document=document)
                self.assertEqual(status, 1)
                self.assertIn(why, errors)
        self.assertEqual(self.query()[0], 2)


class Reference(unittest.TestCase):
    def test_same_results(self):
        why = have_clients()
        if why:
            self.skipTest(why)
        for seed in range(1, 4):
            told = run_script("jmespath_check.mjs", binary=binary(), seed=seed, count=2000)
            self.assertEqual((told["cases"], told["answers"]), (2000, 2000))
            self.assertEqual(told["differ"], [])
            self.assertLess(told["failed"], 600)
