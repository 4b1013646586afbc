"""What source lines hold."""
import json
import re

from memlens_testing import MemlensTest, main

PROGRAM = """kept = []

def keep(count):
    text = "x" * count
    kept.append(text)

def churn():
    for _ in range(1000):
        bytearray(5000)

keep(2_000_000)
churn()
"""


class Lines(MemlensTest):
    def capture(self):
        self.path = self.script(PROGRAM)
        return self.record(["python3", "-S", self.path])

    def lines(self, capture, *options):
        report = json.loads(self.memlens("lines", capture, "--json", *options).stdout)
        self.assertEqual(report["schema"], "memlens.lines/1")
        return report

    def test_columns_add_up_to_the_totals(self):
        capture = self.capture()
        report = self.lines(capture)
        summary = self.summary(capture)
        for column, total in (("peak_bytes", "peak_bytes"), ("leaked_bytes", "leaked_bytes"),
                              ("allocated_bytes", "allocated_bytes"), ("blocks", "allocations"),
                              ("temporary_blocks", "temporary_blocks")):
            self.assertEqual(sum(line[column] for line in report["lines"]), summary[total], column)
            self.assertEqual(report["totals"][column], summary[total])
        peaks = [line["peak_bytes"] for line in report["lines"]]
        self.assertEqual(peaks, sorted(peaks, reverse=True))

    def test_a_line_has_what_it_made(self):
        report = self.lines(self.capture(), "script.py")
        by_line = {line["line"]: line for line in report["lines"]}
        self.assertGreaterEqual(by_line[4]["leaked_bytes"], 2_000_000)
        self.assertLess(by_line[4]["leaked_bytes"], 2_000_200)
        self.assertEqual(by_line[4]["function"], "keep")
        self.assertEqual(by_line[4]["source"], 'text = "x" * count')
        self.assertGreaterEqual(by_line[9]["blocks"], 1000)
        self.assertGreaterEqual(by_line[9]["allocated_bytes"], 5_000_000)
        self.assertEqual({line["file"] for line in report["lines"]}, {self.path})

    def test_a_listing_is_the_source_with_numbers(self):
        capture = self.capture()
        text = self.memlens("lines", capture, "script.py").stdout
        for number, source in enumerate(PROGRAM.splitlines(), 1):
            self.assertRegex(text, rf"(?m)^.* {number} +{re.escape(source.rstrip())}$" if source
                             else rf"(?m) {number}$")
        self.assertRegex(text, r"(?m)^ *2\.00 MB +2\.00 MB +2\.00 MB +\d+ +4      text = ")

    def test_a_file_that_changed_since_is_not_shown_with_wrong_numbers(self):
        capture = self.capture()
        self.script("# another first line\n" + PROGRAM)
        result = self.memlens("lines", capture, "script.py")
        self.assertIn("has changed since", result.stderr)
        self.assertNotIn("another first line", result.stdout)
        self.assertRegex(result.stdout, r"(?m) 4  text = ")

    def test_without_files_the_heaviest_lines(self):
        capture = self.capture()
        text = self.memlens("lines", capture, "-n", 1).stdout
        self.assertRegex(text, r"2\.00 MB .* keep +\S*script\.py:4 ")
        self.assertRegex(text, r"\d+ other lines")
        self.assertRegex(text, r"in all")

    def test_a_file_that_is_not_there_is_one_line_and_code_1(self):
        result = self.memlens("lines", self.capture(), "absent.py", code=1)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertIn("absent.py", result.stderr)


if __name__ == "__main__":
    main()
