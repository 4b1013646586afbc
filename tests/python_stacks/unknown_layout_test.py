"""An interpreter that memlens does not know gets one clear warning, and everything but its stacks."""
import os
import shutil

from memlens_testing import MemlensTest, main
from python_versions import TOOLS


class UnknownLayout(MemlensTest):
    def test_a_version_to_come_is_recorded_without_stacks_and_with_one_warning(self):
        capture = self.record([os.path.join(TOOLS, "unknown_python")])
        self.assertEqual(self.recording.stdout, "done\n")
        warnings = [line for line in self.recording.stderr.splitlines() if "3.99.0" in line]
        self.assertEqual(len(warnings), 1, self.recording.stderr)
        self.assertIn("no Python stacks for Python 3.99.0", warnings[0])
        self.assertIn("not known", warnings[0])

        summary = self.summary(capture)
        python = summary["by_allocator"]["python"]
        self.assertEqual((python["allocations"], python["allocated_bytes"]), (3, 6000))
        self.assertEqual(python["leaked_bytes"], 3000)
        self.assertTrue(summary["python"].startswith("3.99.0"))
        for stack in self.stacks("allocations", capture)["stacks"]:
            self.assertNotIn("python", [frame["kind"] for frame in stack["frames"]])

    def test_pypy_is_recorded_natively_and_with_one_line_that_says_why(self):
        pypy = self.need("pypy3")
        script = self.script("import sys\nkept = bytearray(3_000_000)\nsys.exit(7)\n")
        capture = self.record([pypy, script], code=7)
        lines = [line for line in self.recording.stderr.splitlines() if "PyPy" in line]
        self.assertEqual(len(lines), 1, self.recording.stderr)
        self.assertIn("no Python stacks: PyPy", lines[0])
        stacks = self.stacks("allocations", capture)["stacks"]
        self.assertIn("native", {frame["kind"] for stack in stacks for frame in stack["frames"]})
        self.assertGreater(self.summary(capture)["allocations"], 1000)

    def test_graalpy_is_known_by_its_launcher_s_name(self):
        launcher = os.path.join(self.directory, "graalpy3.12")
        shutil.copy(self.program("failed_realloc"), launcher)
        self.record([launcher])
        self.assertEqual(self.recording.stderr.count("no Python stacks: GraalPy"), 1)


if __name__ == "__main__":
    main()
