"""Runs unittest modules and writes what became of each test: {"test id": "ok" | "failed" | ...}.

Run by the interpreter under test, with memlens and without: unittest_outcomes.py OUT.json MODULE...
"""
import json
import sys
import unittest


class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.by_test = {}

    def note(self, test, outcome):
        # A test that has failed once, in a subtest or in its clean-up, stays failed.
        if self.by_test.get(test.id(), "ok") == "ok":
            self.by_test[test.id()] = outcome

    def addSuccess(self, test):
        self.note(test, "ok")

    def addFailure(self, test, err):
        self.note(test, "failed")

    def addError(self, test, err):
        self.note(test, "error " + err[0].__name__)

    def addSkip(self, test, reason):
        self.note(test, "skipped")

    def addExpectedFailure(self, test, err):
        self.note(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, "failed")


def main():
    out, modules = sys.argv[1], sys.argv[2:]
    sys.argv[1:] = []
    try:
        from test import support
        support.use_resources = []  # none: no network, no audio, nothing large
    except ImportError:
        pass
    outcomes = Outcomes()
    try:
        unittest.defaultTestLoader.loadTestsFromNames(modules).run(outcomes)
    except unittest.SkipTest as reason:
        outcomes.by_test["module"] = f"skipped: {reason}"
    finally:
        with open(out, "w", encoding="utf-8") as file:
            json.dump(outcomes.by_test, file)


if __name__ == "__main__":
    main()
