"""Limits on a capture: exit codes, baselines, suppressions, formats."""
import json
import os
import xml.etree.ElementTree as xml

from memlens_testing import MemlensTest, main

PROGRAM = """
kept = []

def keep():
    kept.append(bytearray({kept}))

def hold():
    held = bytearray(5_000_000)
    return len(held)

keep()
hold()
"""

GROWING = """
import time
kept = []

def leak():
    kept.append(bytearray(10_000))

cache = bytearray(2_000_000)
for _ in range(100):
    {call}
    time.sleep(0.01)
"""


class Check(MemlensTest):
    def capture(self, kept=3_000_000):
        return self.record(["python3", "-S", self.script(PROGRAM.format(kept=kept))])

    def check(self, capture, *options, code=0):
        report = json.loads(self.memlens("check", capture, "--format", "json", *options,
                                         code=code).stdout)
        self.assertEqual(report["schema"], "memlens.check/1")
        self.assertEqual(report["ok"], code == 0)
        return {limit["name"]: limit for limit in report["limits"]}, report

    def test_limits_that_hold_are_0_and_one_that_does_not_is_3(self):
        capture = self.capture()
        text = self.memlens("check", capture, "--max-peak", "1GB", "--max-leaked", "1GiB",
                            "--max-allocations", 10_000_000).stdout
        self.assertEqual(text.count("\n"), 3)
        result = self.memlens("check", capture, "--max-peak", "1GB", "--max-leaked", "2.5MB", code=3)
        self.assertRegex(result.stdout, r"(?m)^ok    max-peak .*limit 1\.00 GB")
        self.assertRegex(result.stdout,
                         r"(?m)^FAIL  max-leaked .*limit 2\.50 MB, value 3\.\d\d MB, "
                         r"most: keep \(\S*script\.py:5\) 3\.00 MB$")

    def test_values_are_those_of_the_summary(self):
        capture = self.capture()
        summary = self.summary(capture)
        limits, _ = self.check(capture, "--max-peak", 1, "--max-leaked", 1, "--max-allocations", 1,
                               code=3)
        self.assertEqual(limits["max-peak"]["value"], summary["peak_bytes"])
        self.assertEqual(limits["max-leaked"]["value"], summary["leaked_bytes"])
        self.assertEqual(limits["max-allocations"]["value"], summary["allocations"])
        self.assertEqual(limits["max-peak"]["place"]["function"], "hold")
        # Exactly that much is allowed.
        self.memlens("check", capture, "--max-peak", summary["peak_bytes"])
        self.memlens("check", capture, "--max-peak", summary["peak_bytes"] - 1, code=3)

    def test_growth_is_what_keeps_growing_and_not_what_stays(self):
        leaking = self.record(["python3", "-S", self.script(GROWING.format(call="leak()"))])
        limits, _ = self.check(leaking, "--max-growth", "10K/s", code=3)
        # 1 MB in the time 100 sleeps take: a loaded machine makes that longer, not shorter.
        self.assertLess(limits["max-growth"]["value"], 1_200_000)
        self.assertGreater(limits["max-growth"]["value"], 10_000)
        self.assertEqual(limits["max-growth"]["place"]["function"], "leak")
        steady = self.record(["python3", "-S", self.script(GROWING.format(call="bytearray(10_000)"))])
        self.memlens("check", steady, "--max-growth", "10K/s")

    def test_a_baseline_may_be_a_capture_a_stored_json_or_a_summary(self):
        before = self.capture()
        same = self.capture()
        more = self.capture(kept=4_000_000)
        stored = os.path.join(self.directory, "memory.json")
        self.memlens("check", before, "--write-baseline", stored)
        self.assertLess(os.path.getsize(stored), 20_000)
        summary = os.path.join(self.directory, "summary.json")
        with open(summary, "w", encoding="utf-8") as file:
            file.write(self.memlens("summary", before, "--json").stdout)
        for baseline in (before, stored, summary):
            with self.subTest(baseline):
                self.memlens("check", same, "--baseline", baseline)
                limits, _ = self.check(more, "--baseline", baseline, code=3)
                self.assertFalse(limits["baseline-leaked"]["ok"])
                self.assertEqual(limits["baseline-leaked"]["place"]["function"], "keep")
                self.assertEqual(limits["baseline-leaked"]["place"]["change"], 1_000_000)
                self.memlens("check", more, "--baseline", baseline, "--tolerance", "50%")

    def test_suppressions_are_counted_and_unused_ones_named(self):
        capture = self.capture()
        path = os.path.join(self.directory, "leaks.supp")
        with open(path, "w", encoding="utf-8") as file:
            file.write("# known\nleak:^keep$\nleak:no_such_function\nleak:*\n")
        limits, report = self.check(capture, "--max-leaked", 0, "--suppressions", path)
        self.assertEqual(limits["max-leaked"]["value"], 0)
        self.assertEqual(report["suppressed_bytes"], self.summary(capture)["leaked_bytes"])
        self.assertEqual([s["used"] for s in report["suppressions"]], [True, False, True])
        text = self.memlens("check", capture, "--max-leaked", 0, "--suppressions", path).stdout
        self.assertIn(f"unused suppression: leak:no_such_function ({path}:3)", text)
        self.assertRegex(text, r"suppressed: 3\.\d\d MB in [\d,]+ blocks of \d+ stacks, by 2")
        # The peak is not a leak.
        self.memlens("check", capture, "--max-peak", "1M", "--suppressions", path, code=3)

    def test_a_bad_suppression_is_one_line_and_code_1(self):
        path = os.path.join(self.directory, "leaks.supp")
        with open(path, "w", encoding="utf-8") as file:
            file.write("race:foo\n")
        result = self.memlens("check", self.capture(), "--max-leaked", 0, "--suppressions", path,
                              code=1)
        self.assertIn(f"{path}: line 1", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)

    def test_github_gets_annotations_and_a_summary(self):
        summary = os.path.join(self.directory, "summary.md")
        result = self.memlens("check", self.capture(), "--max-leaked", "1MB", "--max-peak", "1GB",
                              "--format", "github", code=3,
                              env=dict(os.environ, GITHUB_STEP_SUMMARY=summary))
        annotations = [l for l in result.stdout.splitlines() if l.startswith("::")]
        self.assertEqual(len(annotations), 1)
        self.assertRegex(annotations[0], r"^::error file=script\.py,line=5,title=memlens max-leaked::")
        with open(summary, encoding="utf-8") as file:
            self.assertIn("| max-leaked | **fails** |", file.read())

    def test_junit_is_xml_with_a_case_a_limit(self):
        path = os.path.join(self.directory, "memory.xml")
        result = self.memlens("check", self.capture(), "--max-leaked", "1MB", "--max-peak", "1GB",
                              "--format", "junit", "-o", path, code=3)
        suite = xml.parse(path).getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("2", "1"))
        failed = [c.get("name") for c in suite.findall("testcase") if c.find("failure") is not None]
        self.assertEqual(failed, ["max-leaked"])
        self.assertIn("FAIL  max-leaked", result.stdout)

    def test_wrong_usage(self):
        capture = self.capture()
        self.assertIn("memlens check: which limit?", self.memlens("check", capture, code=2).stderr)
        for option, value in (("--max-peak", "many"), ("--max-peak", "-1"), ("--max-peak", "1e3"),
                              ("--max-growth", "1K/parsec"), ("--tolerance", "x"),
                              ("--max-allocations", "few"), ("--format", "html")):
            with self.subTest(option + value):
                self.assertIn(option, self.memlens("check", capture, "--max-leaked", 1, option,
                                                   value, code=2).stderr)
        for name in ("absent.json", "absent.mlens"):
            result = self.memlens("check", capture, "--baseline", name, code=1)
            self.assertEqual(result.stderr.count("\n"), 1)
            self.assertIn(name, result.stderr)


if __name__ == "__main__":
    main()
