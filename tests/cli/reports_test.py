"""The reports of one recording agree with each other and with the program."""
import json
import os
import re
import subprocess
import sys
import tempfile

from memlens_testing import MEMLENS, VIEWS, MemlensTest, functions, main

PROGRAM = """
import threading

kept = []

def keep():
    kept.append(bytearray(3_000_000))

def hold():
    held = [bytearray(1_000_000) for _ in range(8)]
    return len(held)

def churn():
    for _ in range(20_000):
        bytearray(5000)

keep()
hold()
thread = threading.Thread(target=churn, name="churner")
thread.start()
thread.join()
"""


class Reports(MemlensTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = None

    def capture(self):
        # One recording serves every test; it lives as long as the class.
        if Reports.shared is None:
            folder = tempfile.TemporaryDirectory(prefix="memlens-test-")
            Reports.folder = folder
            script = os.path.join(folder.name, "program.py")
            with open(script, "w", encoding="utf-8") as file:
                file.write(PROGRAM)
            Reports.shared = os.path.join(folder.name, "program.mlens")
            # -S: what a machine's site-packages do at the start is not the test's.
            self.memlens("run", "-o", Reports.shared, "--no-native", "--", "python3", "-S", script)
        return Reports.shared

    @classmethod
    def tearDownClass(cls):
        if Reports.shared:
            Reports.folder.cleanup()

    def heaviest(self, view, *options):
        return self.stacks(view, self.capture(), *options)["stacks"][0]

    def test_the_peak_is_where_the_program_held_most(self):
        stack = self.heaviest("peak")
        self.assertIn("hold", functions(stack))
        self.assertGreaterEqual(stack["bytes"], 8_000_000)
        self.assertLess(stack["bytes"], 8_100_000)

    def test_still_allocated_is_what_the_program_kept(self):
        stack = self.heaviest("leaks")
        self.assertEqual(functions(stack)[0], "keep")
        self.assertEqual(stack["frames"][0]["kind"], "python")
        self.assertEqual(stack["frames"][0]["line"], 7)
        self.assertTrue(stack["frames"][0]["file"].endswith("program.py"))

    def test_temporary_is_where_the_program_churns(self):
        stack = self.heaviest("temporary")
        self.assertIn("churn", functions(stack))
        self.assertGreaterEqual(stack["blocks"], 20_000)

    def test_totals_of_the_stacks_equal_the_summary(self):
        summary = self.summary(self.capture())
        for view, bytes_name, blocks_name in (
                ("peak", "peak_bytes", "peak_blocks"), ("leaks", "leaked_bytes", "leaked_blocks"),
                ("temporary", "temporary_bytes", "temporary_blocks"),
                ("allocations", "allocated_bytes", "allocations")):
            with self.subTest(view):
                report = self.stacks(view, self.capture())
                self.assertEqual(report["total_bytes"], summary[bytes_name])
                self.assertEqual(report["total_blocks"], summary[blocks_name])

    def test_by_allocator_sums_up_to_the_totals(self):
        summary = self.summary(self.capture())
        parts = summary["by_allocator"].values()
        for name in ("allocations", "allocated_bytes", "peak_bytes", "leaked_bytes"):
            self.assertEqual(sum(part[name] for part in parts), summary[name], name)

    def test_the_summary_says_what_was_run(self):
        summary = self.summary(self.capture())
        self.assertEqual(summary["schema"], "memlens.summary/1")
        self.assertIs(summary["complete"], True)
        self.assertTrue(summary["command"][-1].endswith("program.py"))
        self.assertRegex(summary["python"], r"^3\.\d+\.\d+")
        self.assertEqual((summary["processes"], summary["threads"]), (1, 2))
        self.assertGreater(summary["duration_seconds"], summary["peak_seconds"])

    def test_stacks_are_unique_and_sorted(self):
        for view in VIEWS:
            with self.subTest(view):
                stacks = self.stacks(view, self.capture())["stacks"]
                keys = [json.dumps([s["pid"], s["thread"], s["frames"]]) for s in stacks]
                self.assertEqual(len(set(keys)), len(keys))
                weights = [s["blocks" if view == "temporary" else "bytes"] for s in stacks]
                self.assertEqual(weights, sorted(weights, reverse=True))

    def test_n_keeps_the_heaviest_and_the_totals(self):
        whole = self.stacks("peak", self.capture())
        report = json.loads(self.memlens("peak", self.capture(), "--json", "-n", 2).stdout)
        self.assertEqual(report["stacks"], whole["stacks"][:2])
        self.assertEqual(report["total_bytes"], whole["total_bytes"])

    def test_a_thread_is_selected_by_its_kernel_id(self):
        everything = self.stacks("allocations", self.capture())
        thread = next(s["thread"] for s in everything["stacks"] if "churn" in functions(s))
        selected = self.stacks("allocations", self.capture(), "--thread", thread)
        self.assertEqual({s["thread"] for s in selected["stacks"]}, {thread})
        self.assertEqual(selected["total_bytes"],
                         sum(s["bytes"] for s in everything["stacks"] if s["thread"] == thread))

    def test_a_process_or_thread_that_is_not_there_is_an_error_that_names_those_that_are(self):
        pid = self.heaviest("peak")["pid"]
        result = self.memlens("peak", self.capture(), "--pid", 1, code=1)
        self.assertIn(str(pid), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.memlens("peak", self.capture(), "--thread", 1, code=1)

    def test_ranges_of_time_add_up(self):
        whole = self.summary(self.capture())
        middle = whole["duration_seconds"] / 2
        first = self.summary(self.capture(), "--to", middle)
        second = self.summary(self.capture(), "--from", middle)
        self.assertEqual(first["allocations"] + second["allocations"], whole["allocations"])
        self.assertEqual(first["allocated_bytes"] + second["allocated_bytes"],
                         whole["allocated_bytes"])

    def test_what_shutdown_frees_counts_only_when_asked(self):
        normal = self.summary(self.capture())
        at_exit = self.summary(self.capture(), "--at-exit")
        self.assertGreaterEqual(normal["leaked_bytes"], 3_000_000)
        self.assertLess(at_exit["leaked_bytes"], 3_000_000)

    def test_text_reports_name_the_line(self):
        text = self.memlens("summary", self.capture()).stdout
        self.assertRegex(text, r"Still allocated at the end\n.*\n +\d.* keep +\S*program\.py:7 ")
        for view, function in (("peak", "hold"), ("leaks", "keep"), ("temporary", "churn")):
            with self.subTest(view):
                text = self.memlens(view, self.capture(), "-n", 1).stdout
                self.assertRegex(text, r"▸  " + function if "▸" in text else ">  " + function)
                self.assertRegex(text, r"\d+ more stacks")

    def test_text_fits_the_asked_width(self):
        for columns in (70, 80, 120):
            environment = dict(os.environ, COLUMNS=str(columns))
            for command in (("summary",), ("peak",), ("tree",)):
                with self.subTest(f"{command} {columns}"):
                    text = self.memlens(*command, self.capture(), env=environment).stdout
                    longest = max(text.splitlines(), key=len)
                    self.assertLessEqual(len(longest), columns, longest)

    def test_text_is_plain_where_it_is_no_terminal_and_ascii_in_the_c_locale(self):
        environment = dict(os.environ, LC_ALL="C", TERM="xterm-256color")
        for command in ("summary", "peak", "tree"):
            text = self.memlens(command, self.capture(), env=environment).stdout
            self.assertNotIn("\x1b", text)
            self.assertTrue(text.isascii(), text)

    def test_the_tree_sums_what_it_leaves_out(self):
        text = self.memlens("tree", self.capture(), "--view", "allocations", "--min-percent", 0,
                            "--run-lines", 0, "--all-frames").stdout
        self.assertNotRegex(text, r"\d+ others?$")
        pruned = self.memlens("tree", self.capture(), "--view", "allocations").stdout
        self.assertRegex(pruned, re.compile(r"\d+ others?$", re.MULTILINE))

    def test_dump_is_text_whatever_a_string_holds(self):
        """From 3.10 on tables of lines are among them, which are no text."""
        command = [sys.executable, "-c", "def größe(): return bytearray(1000)\ngröße()"]
        dump = self.memlens("dump", self.record(command, env={**os.environ, "PYTHONUTF8": "1"})).stdout
        self.assertNotIn("\ufffd", dump)
        self.assertIn('part="größe"', dump)

    def test_dump_has_a_line_for_each_allocation(self):
        dump = self.memlens("dump", self.capture()).stdout
        allocations = len(re.findall(r"^\d+ \d+/\d+ allocate ", dump, re.MULTILINE))
        maps = len(re.findall(r"^\d+ \d+/\d+ map ", dump, re.MULTILINE))
        self.assertEqual(allocations + maps, self.summary(self.capture())["allocations"])

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run([MEMLENS, "dump", self.capture()], stdout=full,
                                    stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("could not write", result.stderr)


if __name__ == "__main__":
    main()
