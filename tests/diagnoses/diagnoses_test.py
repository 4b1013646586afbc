"""Programs with a known diagnosis: `memlens explain` says it first, and never calls healthy a leak.

The first line of each program says what is expected: the kinds of the first finding, and the
functions it may name, each separated by "|". Most programs leak, churn or fill for a second and a
half: what they do by time is what there is to see.
"""
import json
import os
import re
import subprocess
import sys

from memlens_testing import MemlensTest, main

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
# Of the diagnoses, how many may come second. A loaded machine stretches time.
ALLOWED_MISSES = 4


def expectations():
    for name in sorted(os.listdir(PROGRAMS)):
        with open(os.path.join(PROGRAMS, name), encoding="utf-8") as file:
            match = re.match(r"(?:#|//) expect: (\S+)(?: (\S+))?$", file.readline().rstrip())
        yield name, match[1].split("|"), (match[2] or "").split("|") if match[2] else []


class Diagnoses(MemlensTest):
    def command(self, name):
        path = os.path.join(PROGRAMS, name)
        if name.endswith(".py"):
            # Without what site-packages import at the start: it may be more than the program has.
            return [sys.executable, "-S", path]
        program = os.path.join(self.directory, name.split(".")[0])
        compiler = self.need("gcc" if name.endswith(".c") else "g++")
        subprocess.run([compiler, "-g", "-O0", "-pthread", path, "-o", program], check=True)
        return [program]

    def findings(self, name):
        command = self.command(name)
        native = ["--no-native"] if name.endswith(".py") else []
        capture = self.record(command, "-q", *native, code=None)
        report = json.loads(self.memlens("explain", capture, "--json").stdout)
        self.assertEqual(report["schema"], "memlens.explain/1")
        return report["findings"]

    def test_the_first_finding_is_the_diagnosis(self):
        misses, count = [], 0
        for name, kinds, functions in expectations():
            if "healthy" in kinds:
                continue
            count += 1
            first = self.findings(name)[0]
            place = first["place"]["function"] if first["place"] else ""
            named = not functions or any(function in place for function in functions)
            if first["kind"] not in kinds or not named:
                misses.append(f"{name}: {first['kind']} at {place}: {first['text']}")
        self.assertGreaterEqual(count, 40)
        print("\n".join(misses), file=sys.stderr)
        self.assertLessEqual(len(misses), ALLOWED_MISSES, "\n".join(misses))

    def test_a_healthy_program_is_never_called_a_leak(self):
        count = 0
        for name, kinds, _ in expectations():
            if "healthy" not in kinds:
                continue
            count += 1
            leaks = [f["text"] for f in self.findings(name) if f["kind"] == "leak"]
            self.assertEqual(leaks, [], name)
        self.assertGreaterEqual(count, 20)


if __name__ == "__main__":
    main()
