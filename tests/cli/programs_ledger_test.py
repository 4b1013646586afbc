"""Totals against programs that keep their own account, to the byte."""
import json
import os
import re
import subprocess
import unittest

from memlens_testing import MemlensTest, main

LEDGER = ("allocations", "frees", "allocated_bytes", "leaked_bytes", "leaked_blocks", "peak_bytes")


class LedgerTest(MemlensTest):
    def recorded(self, name, *arguments, **options):
        """The program's own ledger and the capture's, both with the names of LEDGER."""
        capture = self.record([self.program(name), *map(str, arguments)], "--no-native", **options)
        own = json.loads(self.recording.stdout)
        summary = self.summary(capture)
        self.assertTrue(summary["complete"])
        self.capture = capture
        return own, summary

    def assert_ledger(self, own, summary, names=LEDGER):
        self.assertEqual({name: own[name] for name in names},
                         {name: summary[name] for name in names})


class Totals(LedgerTest):
    def test_mixed_calls_of_the_whole_family_are_counted_to_the_byte(self):
        for seed in (1, 2, 3):
            own, summary = self.recorded("mixed_calls", seed)
            self.assertGreater(own["allocations"], 200_000)
            self.assert_ledger(own, summary)

    def test_valgrind_counts_the_same(self):
        valgrind = self.need("valgrind")
        program = self.program("mixed_calls")
        report = subprocess.run([valgrind, program, "7", "100000"], text=True, check=True,
                                capture_output=True).stderr.replace(",", "")
        _, summary = self.recorded("mixed_calls", 7, 100000)
        totals = re.search(r"total heap usage: (\d+) allocs (\d+) frees (\d+) bytes", report)
        left = re.search(r"in use at exit: (\d+) bytes in (\d+) blocks", report)
        self.assertEqual([int(number) for number in totals.groups() + left.groups()],
                         [summary[name] for name in ("allocations", "frees", "allocated_bytes",
                                                     "leaked_bytes", "leaked_blocks")])

    def test_a_failed_realloc_leaves_the_block_alive_and_errno_is_the_programs(self):
        self.assert_ledger(*self.recorded("failed_realloc"))

    def test_frees_of_blocks_that_were_never_seen_are_told_by_what_they_are(self):
        capture = self.record([self.program("unseen_frees")])
        summary = self.summary(capture)
        self.assertEqual((summary["unmatched_frees"], summary["inherited_frees"]), (50, 30))
        text = " ".join(self.memlens("summary", capture).stdout.split())
        self.assertIn("30 frees in forked processes of blocks that their parents allocated", text)
        self.assertIn("20 frees of blocks whose allocation was not seen: past the hooks "
                      "(__libc_malloc, dlsym on libc, RTLD_DEEPBIND)", text)

    def test_the_program_break_counts_by_bytes(self):
        own, summary = self.recorded("brk_moves")
        self.assert_ledger(own, summary)
        self.assertEqual(summary["by_allocator"]["mmap"]["allocated_bytes"],
                         own["allocated_bytes"])

    def test_mappings_are_heap_by_the_rules_of_the_kernel(self):
        own, summary = self.recorded("mapping_rules")
        self.assert_ledger(own, summary)
        self.assertEqual(summary["by_allocator"]["mmap"]["leaked_bytes"], own["leaked_bytes"])

    def test_the_ledger_is_the_same_in_every_view(self):
        own, _ = self.recorded("mixed_calls", 5, 20000)
        self.assertEqual(self.stacks("leaks", self.capture)["total_bytes"], own["leaked_bytes"])
        self.assertEqual(self.stacks("peak", self.capture)["total_bytes"], own["peak_bytes"])
        everything = self.stacks("allocations", self.capture)
        self.assertEqual((everything["total_bytes"], everything["total_blocks"]),
                         (own["allocated_bytes"], own["allocations"]))


class Threads(LedgerTest):
    time_limit_seconds = 300

    def test_threads_that_free_each_others_blocks_leave_nothing_behind_in_fifty_runs(self):
        for seed in range(1, 51):
            own, summary = self.recorded("threads_exchange", seed, 2000)
            # Each thread's stack bookkeeping is libc's own: blocks that exist without the exchange.
            _, idle = self.idle_threads()
            names = ("allocations", "frees", "allocated_bytes", "leaked_bytes", "leaked_blocks")
            self.assertEqual({name: own[name] for name in names},
                             {name: summary[name] - idle[name] for name in names}, f"seed {seed}")

    def idle_threads(self):
        if not hasattr(self, "idle"):
            self.idle = self.recorded("threads_exchange", 1, 0)
        return self.idle


# Debian's packages of them.
ALLOCATORS = {
    "jemalloc": "libjemalloc.so.2",
    "tcmalloc": "libtcmalloc_minimal.so.4",
    "mimalloc": "libmimalloc.so.2.0",
}
DIRECTORIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")


class OtherAllocators(LedgerTest):
    def library(self, name):
        for directory in DIRECTORIES:
            path = os.path.join(directory, ALLOCATORS[name])
            if os.path.exists(path):
                return path
        self.skipTest(f"{ALLOCATORS[name]} is not installed")

    def check_preloaded(self, name):
        environment = dict(os.environ, LD_PRELOAD=self.library(name))
        own, summary = self.recorded("mixed_calls", 11, 60000, env=environment)
        _, idle = self.recorded("mixed_calls", 11, 0, env=environment)
        self.assert_ledger_beyond(idle, own, summary)

    def assert_ledger_beyond(self, idle, own, summary, names=LEDGER):
        """Some of these bring libstdc++, which allocates for itself when it starts."""
        self.assertEqual({name: own[name] for name in names},
                         {name: summary[name] - idle[name] for name in names})
        # What the allocator maps for itself is not heap a second time.
        self.assertEqual(summary["by_allocator"]["mmap"]["allocated_bytes"], 0)

    def check_operators(self, name):
        environment = dict(os.environ)
        if name is not None:
            environment["LD_PRELOAD"] = self.library(name)
        own, summary = self.recorded("operators", env=environment)
        _, idle = self.recorded("operators", 0, env=environment)
        self.assertEqual(own["allocations"], 11002)
        self.assert_ledger_beyond(idle, own, summary, LEDGER[:-1])  # its exception is its peak

    def test_c_plus_plus_operators_are_counted_once_in_every_form(self):
        for name in (None, "jemalloc", "tcmalloc", "mimalloc"):
            with self.subTest(name):
                self.check_operators(name)

    def check_linked(self, name):
        linked = os.path.join(self.directory, "linked")
        library = self.library(name)
        compiler = self.need("cc")
        source = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                              "programs", "mixed_calls.c")
        subprocess.run([compiler, "-O0", "-fno-builtin", "-w", "-o", linked, source,
                        "-Wl,--no-as-needed", library], check=True)
        idle = self.summary(self.record([linked, "12", "0"], "--no-native"))
        capture = self.record([linked, "12", "60000"], "--no-native")
        self.assert_ledger_beyond(idle, json.loads(self.recording.stdout), self.summary(capture))

    def test_preloaded_jemalloc_is_counted_whole(self):
        self.check_preloaded("jemalloc")

    def test_preloaded_tcmalloc_is_counted_whole(self):
        self.check_preloaded("tcmalloc")

    def test_preloaded_mimalloc_is_counted_whole(self):
        self.check_preloaded("mimalloc")

    def test_linked_jemalloc_is_counted_whole(self):
        self.check_linked("jemalloc")

    def test_linked_tcmalloc_is_counted_whole(self):
        self.check_linked("tcmalloc")

    def test_linked_mimalloc_is_counted_whole(self):
        self.check_linked("mimalloc")

    def test_jemallocs_own_interface_is_counted(self):
        environment = dict(os.environ, LD_PRELOAD=self.library("jemalloc"))
        _, idle = self.recorded("jemalloc_interface", "idle", env=environment)
        own, summary = self.recorded("jemalloc_interface", env=environment)
        self.assertEqual(own["allocations"], 5)
        self.assert_ledger_beyond(idle, own, summary)

    def test_without_jemalloc_its_interface_works_by_way_of_malloc(self):
        _, idle = self.recorded("jemalloc_interface", "idle")
        own, summary = self.recorded("jemalloc_interface")
        # A block that moves is there twice for a moment, which a realloc is not.
        names = ("allocations", "frees", "allocated_bytes", "leaked_bytes", "leaked_blocks")
        self.assert_ledger_beyond(idle, own, summary, names)
        self.assertEqual(own["leaked_bytes"], 123)


if __name__ == "__main__":
    main()
