"""Programs and captures at the edges of what there is: each has a defined outcome."""
import os
import subprocess

from memlens_testing import MemlensTest, main

REPORTS = (["summary"], ["peak"], ["leaks"], ["temporary"], ["allocations"], ["growing"], ["tree"])


class OddPrograms(MemlensTest):
    def check_reports(self, capture):
        for arguments in REPORTS:
            result = self.memlens(*arguments, capture)
            self.assertEqual(result.stderr, "", arguments)
            self.assertTrue(result.stdout)
        self.memlens("flamegraph", "-f", "-o", os.path.join(self.directory, "odd.html"), capture)
        return self.summary(capture)

    def test_a_program_that_runs_itself_a_thousand_times(self):
        script = os.path.join(self.directory, "again.sh")
        with open(script, "w") as file:
            file.write('#!/bin/sh\nif [ "$1" -gt 0 ]; then exec "$0" $(($1 - 1)); fi\nexit 9\n')
        os.chmod(script, 0o755)
        capture = self.record([script, "1000"], code=9)
        summary = self.check_reports(capture)
        self.assertEqual(summary["processes"], 1001)
        self.assertIs(summary["complete"], True)
        # One program after the other: what each held went with it.
        self.assertLess(summary["peak_bytes"], 0.1 * summary["allocated_bytes"])

    def test_a_program_that_does_nothing_at_all(self):
        cc = self.need("cc")
        source = os.path.join(self.directory, "nothing.c")
        with open(source, "w") as file:
            file.write("int main(void) { return 0; }\n")
        program = os.path.join(self.directory, "nothing")
        subprocess.run([cc, source, "-o", program], check=True)
        summary = self.check_reports(self.record([program]))
        self.assertEqual(summary["processes"], 1)

    def test_a_megabyte_of_arguments(self):
        words = ["x" * 100000] * 10 + ["\n", "'", "", "\x1b[0m"]
        capture = self.record(["/bin/true", *words])
        summary = self.check_reports(capture)
        self.assertEqual(summary["command"], ["/bin/true", *words])

    def test_a_folder_four_kilobytes_deep(self):
        # The path is longer than any one system call takes.
        name = "d" * 200
        script = self.script("import os\nfor i in range(25):\n"
                             f"    os.mkdir({name!r}); os.chdir({name!r})\n"
                             "x = [bytearray(1000) for i in range(100)]\n")
        self.check_reports(self.record(["python3", script]))

    def test_a_capture_that_may_not_be_read(self):
        if os.geteuid() != 0:
            self.skipTest("becoming another user needs root")
        self.memlens("run", "-q", "-o", "c.mlens", "true")
        os.chmod(self.directory, 0o755)

        def become_nobody():
            os.setgid(65534)
            os.setuid(65534)

        for command in ("summary", "peak", "flamegraph", "dump"):
            result = self.memlens(command, "c.mlens", code=None, preexec_fn=become_nobody)
            if result.returncode == 126:
                self.skipTest("memlens stands where others may not run it")
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr, "memlens: c.mlens: Permission denied\n")


class WhatPythonRuns(MemlensTest):
    def run_it(self, *arguments, stdin=None):
        result = self.memlens("run", "-f", "-o", "c.mlens", *arguments,
                              **({"input": stdin, "stdin": None} if stdin else {}))
        summary = self.summary(os.path.join(self.directory, "c.mlens"))
        self.assertRegex(summary["python"], r"^3\.")
        return result.stdout

    def test_whatever_python_takes_for_a_script(self):
        main_file = "import sys; print('ran', sys.argv[1:])\n"
        folder = os.path.join(self.directory, "folder")
        os.mkdir(folder)
        with open(os.path.join(folder, "__main__.py"), "w") as file:
            file.write(main_file)
        python = self.need("python3")
        run = lambda *words: subprocess.run([python, *words], cwd=self.directory, check=True)
        run("-m", "zipapp", "folder", "-o", "app.pyz")
        run("-m", "zipapp", "folder", "-o", "archive")
        run("-c", "import py_compile; py_compile.compile('folder/__main__.py', cfile='c.pyc')")
        self.script("#!/usr/bin/env python3\n" + main_file, "tool")
        for name in ("folder", "folder/", "./folder", "app.pyz", "archive", "c.pyc", "tool", "./tool"):
            with self.subTest(name=name):
                self.assertEqual(self.run_it(name, "x", "-y"), "ran ['x', '-y']\n")
        self.script(main_file, "plain")
        self.assertEqual(self.run_it("--python", "python3", "plain", "x"), "ran ['x']\n")
        self.assertEqual(self.run_it("-", "x", stdin=main_file), "ran ['x']\n")

    def test_what_nobody_runs_is_an_error_as_in_a_shell(self):
        os.mkdir(os.path.join(self.directory, "empty"))
        self.script("no program", "text")
        for name, code in (("./text", 126), ("./empty", 126), ("missing.py", 127), ("./missing", 127)):
            result = self.memlens("run", "-o", "c.mlens", name, code=code)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)


if __name__ == "__main__":
    main()
