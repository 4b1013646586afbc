"""Allocators that libraries bring along: recorded as heaps, to the byte, or said not to be."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from memlens_testing import PROGRAMS, MemlensTest, main

MEMBERS = ("allocations", "allocated_bytes", "leaked_bytes")


def library(name):
    return os.path.join(PROGRAMS, "libraries", f"libmemlens_test_{name}.so")


def heap_name(name):
    return "mimalloc in " + os.path.basename(library(name))


class BundledTest(MemlensTest):
    def need_library(self, name):
        if "MEMLENS_SKIP_UNBUILT" in os.environ and not os.path.exists(library(name)):
            self.skipTest(f"{name} was not built")  # tests/roots: there is no compiler for it

    def ledger(self):
        """The sums of what the processes and libraries of the last recording printed."""
        lines = [json.loads(line) for line in self.recording.stdout.splitlines()]
        return {member: sum(line[member] for line in lines) for member in MEMBERS}, lines

    def record_library(self, name, what, *flags, options=()):
        return self.record([self.program("bundled_heaps"), library(name), what, *flags], *options)

    def check_exact(self, name, what, *flags, options=()):
        capture = self.record_library(name, what, *flags, options=options)
        ledger, lines = self.ledger()
        self.assertGreater(ledger["allocations"], 5000)
        summary = self.summary(capture)
        heap = summary["by_allocator"][heap_name(name)]
        self.assertEqual({member: heap[member] for member in MEMBERS}, ledger)
        # What it maps is where its blocks live, and what it asks of malloc is its own block.
        self.assertEqual(summary["by_allocator"]["mmap"]["allocated_bytes"], 0)
        self.assertLess(summary["by_allocator"]["malloc"]["allocated_bytes"], 100_000)
        self.assertNotIn("brings mimalloc", self.recording.stderr)
        return capture, lines


class Recorded(BundledTest):
    def test_calls_through_slots_are_recorded_to_the_byte(self):
        for name in ("lazy_allocator", "relro_allocator"):
            for flags in (("lazy",), (), ("global",), ("deepbind",), ("lazy", "deepbind")):
                with self.subTest(name=name, flags=flags):
                    _, lines = self.check_exact(name, "churn", *flags)
                    self.assertEqual(len(lines), 1)

    def test_the_peak_is_the_librarys_own(self):
        capture, lines = self.check_exact("relro_allocator", "churn", options=("--native",))
        heap = self.summary(capture)["by_allocator"][heap_name("relro_allocator")]
        self.assertEqual(heap["peak_bytes"], lines[0]["peak_bytes"])

    def test_what_the_library_maps_beside_its_allocator_is_mapped_memory(self):
        capture = self.record_library("relro_allocator", "beside")
        heaps = self.summary(capture)["by_allocator"]
        ledger, _ = self.ledger()
        self.assertEqual({member: heaps[heap_name("relro_allocator")][member] for member in MEMBERS},
                         ledger)
        self.assertEqual(heaps["mmap"]["allocated_bytes"], 3 << 20)

    def test_functions_asked_for_by_name_are_recorded(self):
        self.check_exact("lazy_allocator", "by_name")
        # Also where the library's own calls cannot be.
        capture = self.record_library("symbolic_allocator", "by_name")
        ledger, _ = self.ledger()
        heap = self.summary(capture)["by_allocator"][heap_name("symbolic_allocator")]
        self.assertEqual({member: heap[member] for member in MEMBERS}, ledger)

    def test_a_malloc_that_is_a_librarys_own(self):
        capture = self.record_library("plain_allocator", "churn", "deepbind")
        ledger, _ = self.ledger()
        self.assertEqual(ledger["allocations"], 5000)
        heaps = self.summary(capture)["by_allocator"]
        heap = heaps["malloc in libmemlens_test_plain_allocator.so"]
        self.assertEqual({member: heap[member] for member in MEMBERS}, ledger)
        self.assertEqual(heaps["mmap"]["allocated_bytes"], 0)
        # Without that flag it calls the program's malloc, as everybody does.
        capture = self.record_library("plain_allocator", "churn")
        self.assertEqual(self.ledger()[0]["allocations"], 0)
        self.assertGreater(self.summary(capture)["by_allocator"]["malloc"]["allocations"], 5000)

    def test_a_pool_of_exported_methods_is_recorded_though_its_allocator_is_hidden(self):
        self.need_library("arrow_pool")
        for flags in (("lazy",), ()):
            capture = self.record_library("arrow_pool", "churn", *flags)
            ledger, lines = self.ledger()
            self.assertGreater(ledger["allocations"], 4000)
            heaps = self.summary(capture)["by_allocator"]
            heap = heaps["jemalloc in libmemlens_test_arrow_pool.so"]
            self.assertEqual({member: heap[member] for member in MEMBERS}, ledger)
            self.assertEqual(heap["peak_bytes"], lines[0]["peak_bytes"])
            self.assertEqual(heaps["mmap"]["allocated_bytes"], 0)
            self.assertNotIn("brings jemalloc", self.recording.stderr)
            names = {name for stack in self.stacks("leaks", capture)["stacks"]
                     for name in stack["allocated_by"]}
            self.assertLess({"JemallocAllocator::AllocateAligned",
                             "JemallocAllocator::ReallocateAligned"}, names)

    def test_threads_that_share_the_heap(self):
        self.check_exact("relro_allocator", "threads")

    def test_a_forked_child_has_the_heap_too(self):
        capture, lines = self.check_exact("relro_allocator", "fork")
        self.assertEqual(len(lines), 2)
        for process in {stack["pid"] for stack in self.stacks("leaks", capture)["stacks"]}:
            stacks = self.stacks("leaks", capture, "--pid", str(process))["stacks"]
            self.assertTrue(any("bundled_mi_malloc" in stack["allocated_by"] for stack in stacks))

    def test_a_library_that_is_unloaded_and_loaded_again(self):
        _, lines = self.check_exact("relro_allocator", "reload")
        self.assertEqual(len(lines), 3)

    def test_each_function_is_named_in_every_report(self):
        capture = self.record_library("lazy_allocator", "churn")
        # The table of allocators cuts long names at the end.
        self.assertIn(heap_name("lazy_allocator")[:36], self.memlens("summary", capture).stdout)
        self.assertIn(heap_name("lazy_allocator"), self.summary(capture)["by_allocator"])
        self.assertIn("bundled_mi_", self.memlens("allocations", capture).stdout)
        dump = self.memlens("dump", capture).stdout
        self.assertIn("function=bundled_mi_malloc_aligned", dump)
        page = os.path.join(self.directory, "page.html")
        self.memlens("flamegraph", capture, "-o", page)

    def test_samples_of_the_heap(self):
        capture = self.record_library("relro_allocator", "churn", options=("--sample", "4K"))
        ledger, _ = self.ledger()
        heap = self.summary(capture)["by_allocator"][heap_name("relro_allocator")]
        # Thousands of samples: within a tenth with a probability beyond counting.
        self.assertAlmostEqual(heap["allocated_bytes"] / ledger["allocated_bytes"], 1, delta=0.1)


class HiddenJemalloc(BundledTest):
    """Linked statically and exported by no name: recorded by the hooks that it calls itself."""

    def setUp(self):
        super().setUp()
        # jemalloc's archive wants more of the loader's static TLS than a library opened later gets.
        os.environ["GLIBC_TUNABLES"] = "glibc.rtld.optional_static_tls=20000"
        self.addCleanup(os.environ.pop, "GLIBC_TUNABLES")

    def check(self, capture, file, lines):
        ledger, printed = self.ledger()
        self.assertEqual(len(printed), lines)
        self.assertGreater(ledger["allocations"], 5000)
        heaps = self.summary(capture)["by_allocator"]
        heap = heaps["jemalloc in " + file]
        self.assertEqual({member: heap[member] for member in MEMBERS}, ledger)
        # What it maps is where its blocks live.
        self.assertEqual(heaps["mmap"]["allocated_bytes"], 0)
        self.assertEqual(self.summary(capture)["diagnostics"], [])
        return printed

    def test_each_call_is_recorded_to_the_byte(self):
        self.need_library("hidden_jemalloc")
        for what, options, lines in (("churn", (), 1), ("threads", (), 1), ("threads", ("--native",), 1),
                                     ("fork", (), 2), ("reload", ("--native",), 3)):
            with self.subTest(what=what, options=options):
                capture = self.record_library("hidden_jemalloc", what, options=options)
                self.check(capture, "libmemlens_test_hidden_jemalloc.so", lines)

    def test_the_line_that_allocates_is_the_callers(self):
        self.need_library("hidden_jemalloc")
        capture = self.record_library("hidden_jemalloc", "churn", options=("--native",))
        names = {name for stack in self.stacks("leaks", capture)["stacks"]
                 for name in stack["allocated_by"]}
        self.assertLess({"malloc", "calloc", "realloc", "mallocx", "xallocx"}, names)
        text = self.memlens("summary", capture).stdout
        self.assertNotRegex(text, r"[0-9]  +(je_\w+|do_rallocx|aligned_alloc|memalign|valloc) ")
        self.assertIn("hidden_jemalloc.c", text)

    def test_a_library_that_is_found_by_its_name_alone(self):
        self.need_library("hidden_jemalloc")
        file = os.path.basename(library("hidden_jemalloc"))
        os.environ["LD_LIBRARY_PATH"] = os.path.dirname(library("hidden_jemalloc"))
        self.addCleanup(os.environ.pop, "LD_LIBRARY_PATH")
        self.check(self.record([self.program("bundled_heaps"), file, "churn"]), file, 1)

    def test_a_program_whose_malloc_it_is(self):
        self.need_library("hidden_jemalloc")
        capture = self.record([self.program("own_jemalloc")])
        self.check(capture, "own_jemalloc", 1)
        self.assertNotIn("brings", self.recording.stderr)

    def test_a_stripped_one_is_said_not_to_be_seen(self):
        self.need_library("stripped_jemalloc")
        capture = self.record_library("stripped_jemalloc", "churn")
        self.assertRegex(" ".join(self.summary(capture)["diagnostics"]),
                         "brings jemalloc under names of its own")
        self.assertGreater(self.summary(capture)["by_allocator"]["mmap"]["allocated_bytes"], 1 << 20)


class NotRecorded(BundledTest):
    def test_direct_calls_are_said_not_to_be_seen(self):
        capture = self.record_library("symbolic_allocator", "churn")
        told = library("symbolic_allocator") + " brings mimalloc"
        self.assertRegex(self.recording.stderr,
                         re.escape(told) + r", which [0-9]+ places? calls? directly")
        self.assertTrue(any("brings mimalloc" in note
                            for note in self.summary(capture)["diagnostics"]))
        # The memory it maps is, then: its reserve, and what it maps later.
        heaps = self.summary(capture)["by_allocator"]
        self.assertGreaterEqual(heaps["mmap"]["allocated_bytes"], 2 << 20)
        # And what it asks of malloc, also where the loader binds past the preloaded library.
        deep = self.summary(self.record_library("symbolic_allocator", "churn", "deepbind"))
        self.assertGreater(heaps["malloc"]["allocated_bytes"], 10_000_000)
        for member in MEMBERS:
            self.assertEqual(deep["by_allocator"]["malloc"][member], heaps["malloc"][member])


class Wheels(MemlensTest):
    """Packages of the Python that MEMLENS_WHEELS names (a virtual environment's), where it does."""

    def python_with(self, package):
        python = os.environ.get("MEMLENS_WHEELS", sys.executable)
        if subprocess.run([python, "-c", f"import {package}"], stderr=subprocess.DEVNULL,
                          check=False).returncode != 0:
            self.skipTest(f"{package} is not installed (MEMLENS_WHEELS names a python that has it)")
        return python

    def record_pool(self, pool):
        """(bytes that the pool says it holds, per function and allocating function what is held)."""
        python = self.python_with("pyarrow")
        script = self.script("import pyarrow as pa\n"
                             f"pool = pa.{pool}_memory_pool()\n"
                             "pa.set_memory_pool(pool)\n"
                             "def small():\n"
                             "    return [pa.allocate_buffer(1000) for _ in range(10_000)]\n"
                             "def large():\n"
                             "    return [pa.allocate_buffer(8_000_000) for _ in range(5)]\n"
                             "kept = small(), large()\n"
                             "small()\n"
                             "print(pool.bytes_allocated(), pool.max_memory())\n")
        capture = self.record([python, script], "--no-native")
        held, most = (int(word) for word in self.recording.stdout.split())
        parts = {}
        for stack in self.stacks("leaks", capture)["stacks"]:
            names = {frame["function"] for frame in stack["frames"]}
            for name in {"small", "large"} & names:
                for allocator, tally in stack["allocated_by"].items():
                    key = name, allocator
                    parts[key] = parts.get(key, 0) + tally["bytes"]
        return capture, held, most, parts

    # What else is on those lines are the Python objects that own the buffers.
    def test_arrows_mimalloc_is_recorded_as_its_own_counters_have_it(self):
        capture, held, most, parts = self.record_pool("mimalloc")
        (heap,) = [part for name, part in self.summary(capture)["by_allocator"].items()
                   if "mimalloc" in name]
        self.assertEqual(heap["leaked_bytes"], held)
        self.assertEqual(heap["peak_bytes"], most)
        arrow = {name: size for (name, allocator), size in parts.items() if "mi_malloc" in allocator}
        self.assertEqual(arrow, {"small": 10_000 * 1024, "large": 5 * 8_000_000})
        self.assertFalse([key for key in parts if "mmap" in key[1]])

    def test_arrows_system_pool_is_the_programs_malloc(self):
        _, held, _, parts = self.record_pool("system")
        arrow = sum(size for (_, allocator), size in parts.items() if "memalign" in allocator)
        self.assertEqual(arrow, held)

    def test_arrows_jemalloc_is_recorded_by_its_pools_own_methods(self):
        capture, held, most, parts = self.record_pool("jemalloc")
        (heap,) = [part for name, part in self.summary(capture)["by_allocator"].items()
                   if "jemalloc" in name]
        self.assertEqual(heap["leaked_bytes"], held)
        self.assertEqual(heap["peak_bytes"], most)
        arrow = {name: size for (name, allocator), size in parts.items() if "Jemalloc" in allocator}
        self.assertEqual(arrow, {"small": 10_000 * 1024, "large": 5 * 8_000_000})
        self.assertFalse([key for key in parts if "mmap" in key[1]])
        self.assertNotIn("brings jemalloc", " ".join(self.summary(capture)["diagnostics"]))

    def test_polars_jemalloc_is_recorded_as_its_own_counter_has_it(self):
        python = self.python_with("polars")
        if shutil.which("nm") is None:
            self.skipTest("no nm to find polars' counter with")
        script = self.script("import ctypes, os, subprocess, time\n"
                             "import polars\n"
                             "places = [line.split() for line in open('/proc/self/maps')]\n"
                             "place = next(p for p in places if '_polars_runtime' in p[-1])\n"
                             "names = subprocess.run(['nm', place[-1]], capture_output=True, text=True,\n"
                             "                       check=True).stdout\n"
                             "(counter,) = [line.split()[0] for line in names.splitlines()\n"
                             "              if line.endswith('GLOBAL_ALLOC_SIZE')]\n"
                             "base = int(place[0].split('-')[0], 16)\n"
                             "held = ctypes.c_int64.from_address(base + int(counter, 16))\n"
                             "kept = polars.DataFrame({'a': list(range(300_000))}).sort('a')\n"
                             "seen = []  # its threads settle\n"
                             "while len(seen) < 40 or len(set(seen[-40:])) > 1:\n"
                             "    time.sleep(0.025)\n"
                             "    seen.append(held.value)\n"
                             "print(seen[-1], flush=True)\n"
                             "os._exit(0)\n")
        os.environ["POLARS_OOC_DRIFT_THRESHOLD"] = "0"  # its threads keep nothing for themselves
        self.addCleanup(os.environ.pop, "POLARS_OOC_DRIFT_THRESHOLD")
        for options in (("--no-native",), ("--native",)):
            capture = self.record([python, script], "--no-follow", *options)
            (heap,) = [part for name, part in self.summary(capture)["by_allocator"].items()
                       if name.startswith("jemalloc in _polars_runtime")]
            self.assertEqual(heap["leaked_bytes"], int(self.recording.stdout))
            self.assertGreater(heap["leaked_bytes"], 300_000 * 8)
            self.assertEqual(self.summary(capture)["diagnostics"], [])


if __name__ == "__main__":
    main()
