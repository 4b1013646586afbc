"""Nonsense in a capture costs the record or block it is in: the rest is read, and every report says what
is missing. A capture is called written when it has been read back."""
import os
import re
import subprocess

from memlens_testing import MemlensTest, VIEWS, main

HARMED = re.compile(r"make[s]? no sense and (is|are) left out")


class HarmedByItsProgram(MemlensTest):
    def test_a_thread_that_may_not_ask_for_its_number_is_recorded_in_full(self):
        capture = self.record([self.program("refused_gettid")])
        self.assertIn("next: memlens summary", self.recording.stderr)
        blocks = [stack["blocks"] for stack in self.stacks("allocations", capture)["stacks"]
                  if stack["frames"][0]["function"] == "work"]
        self.assertEqual(blocks, [1000])

    def record_writes(self, what, seed, count):
        """The child ends well: it reached the shared memory, and did all of its writing."""
        capture = self.record([self.program("stray_writes"), what, str(seed), str(count)])
        self.assertEqual(self.recording.stdout, "finished\n")
        return capture

    def test_stray_writes_into_the_shared_memory_cost_what_they_hit(self):
        for what, count in (("bytes", 3000), ("words", 300), ("events", 3000), ("headers", 1000),
                            ("all", 100_000), ("keys", 300)):
            for seed in (1, 2, 3):
                with self.subTest(what=what, seed=seed):
                    self.check_harmed(what, seed, count)

    def test_stray_writes_of_a_process_into_its_own_blocks_cost_nobody_elses(self):
        for seed in (1, 2, 3):
            with self.subTest(seed=seed):
                capture = self.check_harmed("own", seed, 3000)
                self.assertFalse(self.summary(capture)["complete"])
                here = [stack for stack in self.stacks("allocations", capture)["stacks"]
                        if [frame["function"] for frame in stack["frames"][:1]] == ["main"]]
                self.assertEqual(sum(s["blocks"] for s in here), 500)
                self.assertEqual(sum(s["bytes"] for s in here), 50_000)

    def test_slots_of_processes_that_are_none_keep_nobody_waiting(self):
        summary = self.summary(self.record_writes("slots", 0, 0))
        self.assertLess(summary["duration_seconds"], 60)
        self.assertGreater(summary["allocations"], 500)

    def test_nobody_cuts_the_shared_memory_short(self):
        summary = self.summary(self.record_writes("truncate", 0, 0))
        self.assertGreaterEqual(summary["allocations"], 200 + 400 + 500)
        self.assertTrue(summary["complete"])

    def test_a_capture_that_lost_all_does_not_say_that_nothing_was_allocated(self):
        self.record_writes("headers", 1, 10_000)
        self.assertIn("the program wrote over", self.recording.stderr)
        self.assertNotIn("Nothing was allocated", self.recording.stderr)

    def check_harmed(self, what, seed, count):
        capture = self.record_writes(what, seed, count)
        self.assertIn("capture written to", self.recording.stderr)
        self.assertNotRegex(self.recording.stderr, r"[0-9]{5,} (process|child)")
        self.assertNotIn("cannot be read", self.recording.stderr)
        summary = self.summary(capture)
        report = self.memlens("summary", capture)
        self.assertEqual(bool(summary["left_out"]), bool(HARMED.search(report.stdout)))
        for entry in summary["left_out"]:
            self.assertGreater(entry["count"], 0)
            self.assertTrue(entry["reason"])
        # Whole, or not and in words why.
        left_out = [text for text in summary["diagnostics"] if HARMED.search(text)]
        self.assertEqual(len(left_out), len(summary["left_out"]))
        lost = [text for text in summary["diagnostics"]
                if re.search("wrote over|stray write|could not be recorded", text)]
        self.assertEqual(summary["complete"], not left_out and not lost)
        # What is said when a recording ends is what every report finds.
        self.assertEqual(bool(summary["left_out"]), bool(HARMED.search(self.recording.stderr)))
        totals = {"peak": "peak_bytes", "leaks": "leaked_bytes", "temporary": None,
                  "allocations": "allocated_bytes"}
        for view in VIEWS:
            stacks = self.stacks(view, capture)
            self.assertEqual(stacks["left_out"], summary["left_out"])
            self.assertEqual(stacks["complete"], summary["complete"])
            if totals[view] is not None:
                self.assertEqual(stacks["total_bytes"], summary[totals[view]])
        self.assertEqual(summary["allocations"] - summary["frees"], summary["leaked_blocks"])
        for command in ("tree", "growing", "dump"):
            self.memlens(command, capture)
        self.memlens("flamegraph", "-f", "-o", "harmed.html", capture)
        return capture

    def test_a_program_that_writes_over_all_of_the_shared_memory_is_told_so(self):
        for what in ("zero", "ones"):
            with self.subTest(what=what):
                capture = self.record_writes(what, 0, 0)
                said = self.recording.stderr
                self.assertIn("stray_writes wrote over the memory it shares with memlens", said)
                self.assertNotIn("did not load", said)
                self.assertNotIn("not recorded: too many", said)
                self.assertNotIn("could not be recorded", said)
                summary = self.summary(capture)
                self.assertIn("stray write", " ".join(summary["diagnostics"]))
                self.assertFalse(summary["complete"])
                self.assertIn("Incomplete: a stray write", self.memlens("summary", capture).stdout)

    def test_times_and_processes_that_cannot_be_are_not_believed(self):
        for seed in (1, 2, 3):
            with self.subTest(seed=seed):
                summary = self.summary(self.record_writes("tables", seed, 20_000))
                self.assertLess(summary["duration_seconds"], 3600)
                self.assertLess(summary["processes"], 3)


class WrittenAndReadBack(MemlensTest):
    def test_a_capture_that_was_removed_is_not_called_written(self):
        for command in ("rm c.mlens", "mv c.mlens d.mlens; echo other > c.mlens"):
            result = self.memlens("run", "-q", "-f", "-o", "c.mlens", "sh", "-c", command)
            self.assertEqual(result.stderr, "memlens: c.mlens was removed or replaced while it was "
                             "written: the capture is lost\n")

    def test_the_next_commands_can_be_typed_as_they_stand(self):
        names = ("plain.mlens", "two words.mlens", "it's.mlens", "-dash.mlens", "a;b$c`d.mlens",
                 "new\nline.mlens", "caf\u00e9.mlens")
        for name in names:
            result = self.memlens("run", f"--output={name}", "true")
            start = "memlens: next: "
            lines = [l for l in result.stderr.splitlines() if l.startswith(start)]
            self.assertEqual(len(lines), 2, result.stderr)
            for line, report in zip(lines, ("summary", "flamegraph")):
                command = line[len(start):].replace("memlens", "printf '%s\\n'", 1)
                typed = self.run_shell("bash", command)
                self.assertIn(typed, (f"{report}\n{name}\n", f"{report}\n./{name}\n"))
            self.assertTrue(os.path.exists(os.path.join(self.directory, name)))

    def run_shell(self, shell, command):
        return subprocess.run([self.need(shell), "-c", command], cwd=self.directory, text=True,
                              stdout=subprocess.PIPE, check=True).stdout

    def test_a_capture_is_its_owners_alone_and_a_page_follows_the_umask(self):
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        self.memlens("run", "-q", "-o", "c.mlens", "true")
        self.memlens("flamegraph", "c.mlens")
        mode = lambda name: os.stat(os.path.join(self.directory, name)).st_mode & 0o777
        self.assertEqual(mode("c.mlens"), 0o600)
        self.assertEqual(mode("c.html"), 0o644)


if __name__ == "__main__":
    main()
