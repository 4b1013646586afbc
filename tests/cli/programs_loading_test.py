"""Libraries that come and go, threads' names, allocators we cannot see, and what we export."""
import re
import subprocess
import os
import unittest

from memlens_testing import LIBRARY, PROGRAMS, SOURCE, MemlensTest, functions, main


class Libraries(MemlensTest):
    def record_plugins(self, *options):
        return self.record([self.program("plugin_loading"), os.path.join(PROGRAMS, "libraries")],
                           *options)

    def test_dlopen_still_follows_its_callers_runpath(self):
        self.record_plugins()  # the program fails where it does not

    def test_every_time_a_library_is_loaded_is_noted(self):
        lines = self.memlens("dump", self.record_plugins()).stdout.splitlines()
        loads = [line for line in lines if " module id=" in line and "test_plugin" in line]
        self.assertEqual(len(loads), 2, loads)
        ids = [re.search(r"id=(\d+)", line).group(1) for line in loads]
        for number in ids:
            self.assertTrue(any(f" module_end id={number} " in line for line in lines), number)

    def test_the_stacks_of_an_unloaded_library_are_resolved(self):
        leaks = self.stacks("leaks", self.record_plugins("--native"))["stacks"]
        if not any(frame["kind"] == "native" and frame["file"] for stack in leaks
                   for frame in stack["frames"]):
            self.skipTest("no native stacks are recorded yet")
        plugin = [stack for stack in leaks if functions(stack)[0] == "plugin_allocate"]
        self.assertEqual(sum(stack["bytes"] for stack in plugin), 1000 + 1001)


class Threads(MemlensTest):
    def test_threads_have_the_names_they_were_given(self):
        dump = self.memlens("dump", self.record([self.program("thread_names")])).stdout
        names = re.findall(r'thread thread=(\d+) .*name="(.*)"', dump)
        last = dict(names)
        self.assertEqual(sorted(last.values()), ["namedByOther", "namedByPrctlAnd", "namedItself",
                                                 "thread_names"])


class Unseen(MemlensTest):
    def test_a_program_with_its_own_malloc_is_told_so_loudly(self):
        capture = self.record([self.program("static_allocator")])
        self.assertEqual(self.recording.stdout, "done\n")
        self.assertIn("brings its own malloc", self.recording.stderr)
        self.assertIn("brings its own malloc", self.memlens("dump", capture).stdout)
        self.assertIn("brings its own malloc", self.memlens("summary", capture).stdout)

    def test_a_program_with_an_allocator_under_other_names_is_told_so(self):
        capture = self.record([self.program("private_allocator")])
        told = "private_allocator brings jemalloc under names of its own"
        self.assertIn(told, self.recording.stderr)
        self.assertIn(told.replace(" brings", ": brings"), self.memlens("summary", capture).stdout)
        self.assertEqual(self.summary(capture)["by_allocator"]["mmap"]["allocated_bytes"], 1 << 20)
        quiet = self.record([self.program("static_allocator")])
        self.assertNotIn("under names of its own", self.recording.stderr)
        self.assertNotIn("under names of its own", self.memlens("summary", quiet).stdout)

    def test_a_library_with_an_allocator_is_told_in_every_mode(self):
        script = self.script("import ctypes, sys\n"
                             "library = ctypes.CDLL(sys.argv[1])\n"
                             "library.bundled_churn(1000)\n")
        library = os.path.join(PROGRAMS, "libraries", "libmemlens_test_hidden_allocator.so")
        told = library + " brings jemalloc under names of its own"
        for option in ("--no-native", "--native"):
            with self.subTest(option):
                capture = self.record(["/usr/bin/python3", script, library], option)
                self.assertEqual(self.recording.stderr.count(told), 1, self.recording.stderr)
                notes = self.summary(capture)["diagnostics"]
                self.assertEqual(sum(told.replace(" brings", ": brings") in note for note in notes),
                                 1, notes)

    def test_functions_of_libraries_that_come_after_the_start(self):
        library = os.path.join(PROGRAMS, "libraries", "libmemlens_test_late_functions.so")
        self.record([self.program("late_functions"), library])
        self.assertEqual(self.recording.stdout, "called\n")

    def test_a_child_with_its_own_malloc_keeps_its_stderr(self):
        script = self.script("import subprocess, sys\n"
                             "child = subprocess.run([sys.argv[1]], capture_output=True)\n"
                             "sys.exit(child.stderr.decode() or 0)\n")
        capture = self.record(["/usr/bin/python3", script, self.program("static_allocator")])
        self.assertIn("brings its own malloc", self.memlens("summary", capture).stdout)


class Exports(MemlensTest):
    def test_the_library_exports_its_hooks_and_nothing_else(self):
        nm = self.need("nm")
        with open(os.path.join(SOURCE, "interposer", "program", "hook_table.h")) as table:
            hooks = set(re.findall(r'\{"(\w+)",\s*"\w+\.cpp"', table.read()))
        symbols = subprocess.run([nm, "-D", "--defined-only", LIBRARY], text=True, check=True,
                                 capture_output=True).stdout
        exported = {line.split()[-1].split("@")[0] for line in symbols.splitlines()}
        self.assertEqual({name for name in exported if not name.startswith("memlens_")}, hooks)

    def test_the_library_needs_nothing_but_libc(self):
        readelf = self.need("readelf")
        dynamic = subprocess.run([readelf, "-d", LIBRARY], text=True, check=True,
                                 capture_output=True).stdout
        needed = re.findall(r"NEEDED.*\[(.*?)\]", dynamic)
        self.assertLessEqual({re.sub(r"\.so.*", "", name) for name in needed},
                             {"libc", "libpthread", "ld-linux-x86-64", "ld-linux-aarch64"})

    def test_the_library_has_at_most_32_bytes_of_static_tls(self):
        readelf = self.need("readelf")
        segments = subprocess.run([readelf, "-lW", LIBRARY], text=True, check=True,
                                  capture_output=True).stdout
        size = re.search(r"^\s+TLS(?:\s+0x\w+){4}\s+(0x\w+)", segments, re.MULTILINE)
        self.assertLessEqual(int(size.group(1), 16), 32)


if __name__ == "__main__":
    main()
