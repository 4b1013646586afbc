"""A program that the kernel kills for its cgroup's limit, where a cgroup can be made."""
import os
import re
import signal
import subprocess
import sys

from memlens_testing import MEMLENS, MemlensTest, main

GREEDY = """
import time
kept = []
def eat():
    kept.append(bytearray(1_000_000))
while True:
    eat()
    time.sleep(0.01)
"""
LIMIT = 100_000_000


class OutOfMemory(MemlensTest):
    def cgroup(self):
        """A new cgroup with a limit; skips the test where there can be none."""
        name = f"memlens-test-{os.getpid()}"
        for parent, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                              ("/sys/fs/cgroup", "memory.max")):
            folder = os.path.join(parent, name)
            try:
                os.mkdir(folder)
            except OSError:
                continue
            self.addCleanup(os.rmdir, folder)
            try:
                with open(os.path.join(folder, limit), "w", encoding="ascii") as file:
                    file.write(str(LIMIT))
            except OSError:
                continue
            try:  # where there is swap, it is to be none of ours
                with open(os.path.join(folder, "memory.swap.max"), "w", encoding="ascii") as file:
                    file.write("0")
            except OSError:
                pass
            return folder
        self.skipTest("no cgroup with a limit of memory can be made here")

    def test_the_limit_what_was_used_and_what_grew_are_told(self):
        folder = self.cgroup()
        script = self.script(GREEDY, "greedy.py")
        enter = f"echo $$ > {folder}/cgroup.procs && exec {sys.executable} {script}"
        capture = self.record(["sh", "-c", enter], "--no-native", code=128 + signal.SIGKILL)
        summary = self.summary(capture)
        self.assertEqual(summary["ended_by"], "SIGKILL")
        told = summary["killed_for_memory"]
        self.assertEqual(told["by"], "cgroup")
        self.assertAlmostEqual(told["limit_bytes"], LIMIT, delta=65536)
        self.assertGreater(told["used_bytes"], LIMIT * 0.7)
        text = " ".join(self.memlens("explain", capture).stdout.split())
        self.assertRegex(text, r"Out of memory .*killed by the kernel at [0-9.]+ MB of 100 MB, "
                               r"its cgroup's limit, with [0-9.]+ MB allocated")
        self.assertRegex(text, r"in the last [0-9.]+ s it gained [0-9.]+ MB, 9[0-9.]+ % of it at "
                               r"eat \(greedy\.py:5\)")

    def test_any_other_sigkill_is_not_the_kernel_s(self):
        capture = os.path.join(self.directory, "killed.mlens")
        program = subprocess.Popen([MEMLENS, "run", "-q", "-o", capture, "--", sys.executable, "-c",
                                    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"],
                                   cwd=self.directory)
        self.assertEqual(program.wait(), 128 + signal.SIGKILL)
        summary = self.summary(capture)
        self.assertEqual(summary["ended_by"], "SIGKILL")
        self.assertIsNone(summary["killed_for_memory"])
        self.assertTrue(re.search("others may", self.memlens("explain", capture).stdout))


if __name__ == "__main__":
    main()
