"""Hooks that are put into a program that runs see what hooks bound by the loader see: programs that
keep their own account are attached to before their first call, and compared to the byte."""
import json
import os
import subprocess
import time

from memlens_testing import BUILD, LIBRARY, MEMLENS, MemlensTest, main

LATE_LOADER = os.path.join(BUILD, "tests", "attach", "liblate_loader.so")
LEDGER = ("allocations", "frees", "allocated_bytes", "leaked_bytes", "leaked_blocks", "peak_bytes")
PATIENCE_SECONDS = 60


class LateHooks(MemlensTest):
    def attached_from_its_start(self, *command, preload=()):
        """The program's own account and the capture's. Its constructor waits to be recorded."""
        program = subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=self.directory,
            env={**os.environ, "LD_PRELOAD": ":".join([LATE_LOADER, *preload]),
                 "MEMLENS_LATE_LIBRARY": LIBRARY})
        deadline = time.monotonic() + PATIENCE_SECONDS
        maps = ""
        while "memfd:dormant-memlens" not in maps:
            self.assertLess(time.monotonic(), deadline, "the library was not loaded")
            with open(f"/proc/{program.pid}/maps", encoding="utf-8") as file:
                maps = file.read()
        capture = os.path.join(self.directory, "late.mlens")
        self.memlens("attach", program.pid, "-q", "-f", "--no-native", "-o", capture)
        own = program.communicate(timeout=PATIENCE_SECONDS)[0]
        self.assertEqual(program.returncode, 0)
        summary = self.summary(capture)
        self.assertTrue(summary["complete"])
        self.capture = capture
        return json.loads(own), summary

    def assert_ledger(self, *command, **options):
        own, summary = self.attached_from_its_start(*map(str, command), **options)
        self.assertEqual({name: own[name] for name in LEDGER},
                         {name: summary[name] for name in LEDGER})
        return summary

    def test_mixed_calls_of_the_whole_family(self):
        for seed in (1, 2):
            summary = self.assert_ledger(self.program("mixed_calls"), seed)
            self.assertGreater(summary["allocations"], 200_000)

    def test_functions_of_one_address_are_told_by_the_name_they_are_called_by(self):
        self.assert_ledger(self.program("mixed_calls"), 3, 20000)
        used = set()
        for stack in self.stacks("allocations", self.capture)["stacks"]:
            used.update(stack["allocated_by"])
        self.assertLessEqual({"malloc", "calloc", "realloc", "reallocarray", "posix_memalign",
                              "aligned_alloc", "memalign", "valloc"}, used)

    def test_a_failed_realloc(self):
        self.assert_ledger(self.program("failed_realloc"))

    def test_the_program_break(self):
        self.assert_ledger(self.program("brk_moves"))

    def test_mappings(self):
        self.assert_ledger(self.program("mapping_rules"))


if __name__ == "__main__":
    main()
