"""What users type by habit is understood, or answered with what they meant."""
import os
import pty
import re
import select
import subprocess
import sys
import time

from memlens_testing import MEMLENS, MemlensTest, main


class Habits(MemlensTest):
    def capture(self, *options):
        return self.record(["python3", "-S", "-c", "x = bytearray(1000)"], *options)

    def test_a_capture_alone_is_its_summary(self):
        capture = self.capture()
        self.assertEqual(self.memlens(capture).stdout, self.memlens("summary", capture).stdout)
        self.assertEqual(self.memlens(capture, "--json").stdout,
                         self.memlens("summary", capture, "--json").stdout)
        result = self.memlens("absent.mlens", code=1)
        self.assertIn("absent.mlens", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.memlens(capture, "--no-such-option", code=2)

    def test_names_of_other_tools_lead_to_ours(self):
        for word, meant in (("html", "flamegraph"), ("report", "flamegraph"), ("stats", "summary"),
                            ("compare", "diff"), ("flamegraf", "flamegraph"), ("peek", "peak")):
            with self.subTest(word):
                result = self.memlens(word, "x.mlens", code=2)
                self.assertIn(f"did you mean '{meant}'?", result.stderr)
        self.assertNotIn("did you mean", self.memlens("xyzzy", code=2).stderr)

    def test_a_range_after_the_end_says_how_long_the_recording_is(self):
        capture = self.capture()
        for command in ("summary", "peak", "growing", "tree", "lines", "flamegraph"):
            with self.subTest(command):
                result = self.memlens(command, capture, "--from", 1000, code=1)
                self.assertEqual(result.stderr.count("\n"), 1)
                self.assertRegex(result.stderr, r"--from 16 min 40 s is after its end: it is \S+ s long")
        self.memlens("summary", capture, "--from", 0, "--to", 1000)

    def test_run_with_a_report_does_both_steps(self):
        page = os.path.join(self.directory, "app.html")
        capture = os.path.join(self.directory, "app.mlens")
        program = ["--", "python3", "-S", "-c", "import sys; print('out'); sys.exit(3)"]
        result = self.memlens("run", "-o", capture, "--report", page, *program, code=3)
        self.assertEqual(result.stdout, "out\n")
        self.assertIn(f"report written to {page}", result.stderr)
        with open(page, encoding="utf-8") as file:
            self.assertIn('id="capture-data"', file.read())
        self.summary(capture)
        # What is there already is told before the program runs.
        result = self.memlens("run", "-o", capture + "2", "--report", page, *program, code=125)
        self.assertEqual(result.stdout, "")
        self.assertIn(page, result.stderr)
        self.memlens("run", "-f", "-q", "-o", capture, "--report", page, *program, code=3)
        result = self.memlens("run", "--report", "/absent/app.html", *program, code=125)
        self.assertEqual(result.stdout, "")

    def test_whom_ctrl_c_goes_to_is_said_at_the_start_on_a_terminal_only(self):
        capture = os.path.join(self.directory, "app.mlens")
        command = [MEMLENS, "run", "-o", capture, "--", sys.executable, "-S", "-c", "print('program')"]
        parent, child = pty.openpty()
        process = subprocess.Popen(command, stdin=child, stdout=child, stderr=child)
        os.close(child)
        text = b""
        deadline = time.monotonic() + self.time_limit_seconds
        while time.monotonic() < deadline:
            if not select.select([parent], [], [], 1)[0]:
                continue
            try:
                data = os.read(parent, 4096)
            except OSError:
                break
            if not data:
                break
            text += data
        os.close(parent)
        self.assertEqual(process.wait(), 0)
        self.assertRegex(text.decode(), re.compile(r"Ctrl-C goes to the program.*program", re.DOTALL))
        os.remove(capture)
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, check=True)
        self.assertNotIn("Ctrl-C", result.stderr)

    def test_the_threshold_is_explained_by_an_example(self):
        text = " ".join(self.memlens("temporary", "--help").stdout.split())
        self.assertIn("100: also a buffer that 99 others came after", text)


if __name__ == "__main__":
    main()
