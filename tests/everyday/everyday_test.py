"""The programs of programs.txt marked for the suite run the same with memlens as without."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import everyday  # noqa: E402
from memlens_testing import main  # noqa: E402


class Everyday(unittest.TestCase):
    """One test a command; each is skipped where its program is not installed."""

    def check(self, command):
        verdict = everyday.check(command)
        if verdict.result == "absent":
            self.skipTest(f"{', '.join(command.needs)}: not installed")
        if verdict.result == "slow":
            self.skipTest("does not end in time without memlens either")
        self.assertEqual(verdict.differences, [])


def add_tests():
    for number, command in enumerate(everyday.listed_commands(suite_only=True)):
        def test(self, command=command):
            self.check(command)
        test.__doc__ = command.name
        setattr(Everyday, f"test_{number:02}_{command.needs[0].replace('-', '_')}", test)


add_tests()


if __name__ == "__main__":
    main()
