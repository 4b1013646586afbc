"""Libraries that come and go, threads' names, allocators we cannot see, and what we export."""
import re
import subprocess
import os
import unittest

from memlens_testing import LIBRARY, PROGRAMS, SOURCE, MemlensTest, functions, main


class Libraries(MemlensTest):
    def test_dlopen_still_follows_its_callers_runpath(self):
        capture = self.record([self.program("plugin_loading"), os.path.join(PROGRAMS, "libraries")])
        sizes = sorted(stack["bytes"] for stack in self.stacks("leaks", capture)["stacks"])
        self.assertEqual([size for size in sizes if size in (1000, 1001)], [1000, 1001])
        modules = [line for line in self.memlens("dump", capture).stdout.splitlines()
                   if "libmemlens_test_plugin.so" in line]
        self.assertEqual(len(modules), 2, modules)

    def test_the_stacks_of_an_unloaded_library_are_resolved(self):
        capture = self.record([self.program("plugin_loading"), os.path.join(PROGRAMS, "libraries")],
                              "--native")
        for stack in self.stacks("leaks", capture)["stacks"]:
            if stack["bytes"] == 1000:
                self.assertEqual(functions(stack)[0], "plugin_allocate")


class Threads(MemlensTest):
    def test_threads_have_the_names_they_were_given(self):
        capture = self.record([self.program("thread_names")])
        report = self.stacks("leaks", capture)
        names = {stack["bytes"]: stack["thread"] for stack in report["stacks"]}
        self.assertIn("namedItself", str(names[11]))
        self.assertIn("namedByPrctlAnd", str(names[12]))
        self.assertIn("namedByOther", str(names[13]))


class Unseen(MemlensTest):
    def test_a_program_with_its_own_malloc_is_told_so_loudly(self):
        capture = self.record([self.program("static_allocator")])
        self.assertEqual(self.recording.stdout, "done\n")
        self.assertIn("brings its own malloc", self.recording.stderr)
        self.assertIn("brings its own malloc", self.memlens("dump", capture).stdout)
        self.assertIn("brings its own malloc", self.memlens("summary", capture).stdout)


class Exports(MemlensTest):
    def test_the_library_exports_its_hooks_and_nothing_else(self):
        nm = self.need("nm")
        table = open(os.path.join(SOURCE, "interposer", "hooks", "hook_table.h")).read()
        hooks = set(re.findall(r'\{"(\w+)",\s*"\w+\.cpp"', table))
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
                             {"libc", "libdl", "libpthread", "ld-linux-x86-64", "ld-linux-aarch64"})

    def test_the_library_has_at_most_16_bytes_of_static_tls(self):
        readelf = self.need("readelf")
        segments = subprocess.run([readelf, "-lW", LIBRARY], text=True, check=True,
                                  capture_output=True).stdout
        size = re.search(r"^\s+TLS(?:\s+0x\w+){4}\s+(0x\w+)", segments, re.MULTILINE)
        self.assertLessEqual(int(size.group(1), 16), 16)


if __name__ == "__main__":
    main()
