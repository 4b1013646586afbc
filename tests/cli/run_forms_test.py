"""`memlens run`: what it starts, what it calls the capture, how it ends."""
import os
import re
import socket
import subprocess
import sys

from memlens_testing import BUILD, MEMLENS, MemlensTest, main


class WhatIsStarted(MemlensTest):
    def run_quietly(self, *arguments, code=0, **options):
        return self.memlens("run", "-q", "-o", "out.mlens", *arguments, code=code, **options)

    def test_a_script_gets_its_arguments_untouched(self):
        script = self.script("import sys; print(sys.argv[1:])")
        result = self.run_quietly(script, "-o", "--native", "-m", "--", "x")
        self.assertEqual(result.stdout, "['-o', '--native', '-m', '--', 'x']\n")

    def test_a_module_gets_its_arguments_untouched(self):
        self.script("import sys; print(sys.argv[1:], __name__)", "mod.py")
        result = self.run_quietly("-m", "mod", "--native", "-c")
        self.assertEqual(result.stdout, "['--native', '-c'] __main__\n")

    def test_code_gets_its_arguments_untouched(self):
        result = self.run_quietly("-c", "import sys; print(sys.argv)", "-q", "-c")
        self.assertEqual(result.stdout, "['-c', '-q', '-c']\n")

    def test_a_program_is_found_on_the_path_with_and_without_dashes(self):
        for words in (["echo", "-n", "hello"], ["--", "echo", "-n", "hello"]):
            os.path.exists(f"{self.directory}/out.mlens") and os.remove(f"{self.directory}/out.mlens")
            self.assertEqual(self.run_quietly(*words).stdout, "hello")

    def test_a_script_after_dashes_runs_by_its_own_first_line(self):
        script = self.script("#!/bin/sh\necho from the shell\n", "tool.py")
        os.chmod(script, 0o755)
        self.assertEqual(self.run_quietly("--", script).stdout, "from the shell\n")

    def test_a_shell_script_without_a_first_line_runs_in_the_shell(self):
        script = self.script("echo $1\n", "plain")
        os.chmod(script, 0o755)
        self.assertEqual(self.run_quietly(script, "word").stdout, "word\n")

    def test_python_is_the_one_asked_for(self):
        result = self.run_quietly("--python", "/usr/bin/python3", "-c",
                                  "import sys; print(sys.executable)")
        self.assertEqual(result.stdout, "/usr/bin/python3\n")

    def test_a_python_that_is_a_shell_script_is_followed_to_the_interpreter(self):
        directory = os.path.join(self.directory, "shims")
        os.mkdir(directory)
        shim = os.path.join(directory, "python3")
        with open(shim, "w") as file:
            file.write('#!/usr/bin/env bash\nset -e\n: $(echo noise)\nexec /usr/bin/python3 "$@"\n')
        os.chmod(shim, 0o755)
        environment = dict(os.environ, PATH=directory + ":" + os.environ["PATH"])
        self.run_quietly("-c", "print(1)", env=environment)
        capture = os.path.join(self.directory, "out.mlens")
        summary = self.summary(capture)
        self.assertEqual(summary["processes"], 1)
        self.assertRegex(summary["python"], r"^3\.\d+")
        os.remove(capture)
        self.run_quietly("python3", "-c", "print(1)", env=environment)
        self.assertEqual(self.summary(capture)["processes"], 1)

    def test_the_directory_of_memlens_may_be_reached_through_a_link(self):
        link = os.path.join(self.directory, "memlens")
        os.symlink(MEMLENS, link)
        result = subprocess.run([link, "run", "-q", "-o", "l.mlens", "true"], cwd=self.directory)
        self.assertEqual(result.returncode, 0)


class HowItEnds(MemlensTest):
    def test_the_exit_code_is_the_programs(self):
        for code in (0, 1, 42, 255):
            self.memlens("run", "-q", "sh", "-c", f"exit {code}", code=code)

    def test_death_by_signal_is_128_and_its_number(self):
        for name, number in (("TERM", 15), ("KILL", 9), ("ABRT", 6)):
            self.memlens("run", "-q", "sh", "-c", f"kill -{name} $$", code=128 + number)

    def test_a_missing_program_is_127_and_leaves_no_capture(self):
        result = self.memlens("run", "no-such-program", code=127)
        self.assertEqual(result.stderr, "memlens: no-such-program: command not found\n")
        self.assertEqual(os.listdir(self.directory), [])

    def test_a_missing_script_is_127_and_leaves_no_capture(self):
        result = self.memlens("run", "no-such.py", code=127)
        self.assertIn("no-such.py: No such file", result.stderr)
        self.assertEqual(os.listdir(self.directory), [])

    def test_what_cannot_be_executed_is_126(self):
        plain = self.script("hello", "plain.txt")
        self.assertIn("Permission denied", self.memlens("run", plain, code=126).stderr)
        self.assertIn("directory", self.memlens("run", self.directory, code=126).stderr)

    def test_a_missing_interpreter_is_127(self):
        script = self.script("#!/no/such/interpreter\n", "odd")
        os.chmod(script, 0o755)
        result = self.memlens("run", script, code=127)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("interpreter", result.stderr)

    def test_wrong_usage_is_125_and_one_line(self):
        for words in ([], ["--no-such-option", "true"], ["--native", "--no-native", "true"], ["-m"]):
            result = self.memlens("run", *words, code=125)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)

    def test_a_library_that_is_missing_is_told(self):
        directory = os.path.join(self.directory, "elsewhere", "bin")
        os.makedirs(directory)
        copy = os.path.join(directory, "memlens")
        with open(MEMLENS, "rb") as source, open(copy, "wb") as target:
            target.write(source.read())
        os.chmod(copy, 0o755)
        result = subprocess.run([copy, "run", "true"], cwd=self.directory, stderr=subprocess.PIPE,
                                text=True)
        self.assertEqual(result.returncode, 125)
        self.assertIn("cannot find libmemlens.so", result.stderr)

    def test_installed_it_finds_its_library(self):
        prefix = os.path.join(self.directory, "prefix")
        cmake = self.need("cmake")
        installed = subprocess.run([cmake, "--install", BUILD, "--prefix", prefix],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(installed.returncode, 0, installed.stdout)
        result = subprocess.run([os.path.join(prefix, "bin", "memlens"), "run", "-o", "i.mlens",
                                 "true"], cwd=self.directory, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("nothing was recorded", result.stderr)


class WhatItWrites(MemlensTest):
    def captures_here(self):
        return sorted(name for name in os.listdir(self.directory) if name.endswith(".mlens"))

    def test_default_names_hold_the_program_and_its_pid(self):
        script = self.script("import os; print(os.getpid())", "app.py")
        for words, name in (([script], "app"), (["sh", "-c", "echo $$"], "sh"),
                            (["-c", "import os; print(os.getpid())"], "python")):
            pid = self.memlens("run", *words).stdout.strip()
            self.assertIn(f"memlens-{name}-{pid}.mlens", self.captures_here())

    def test_patterns_in_the_name_are_filled_in(self):
        pid = self.memlens("run", "-o", "a-%p-%h-%t-%%.mlens", "sh", "-c", "echo $$").stdout.strip()
        self.assertRegex(self.captures_here()[0],
                         rf"^a-{pid}-{re.escape(socket.gethostname())}-\d{{10,}}-%\.mlens$")

    def test_an_existing_capture_is_kept_unless_forced(self):
        path = os.path.join(self.directory, "kept.mlens")
        with open(path, "w") as file:
            file.write("precious")
        result = self.memlens("run", "-o", path, "sh", "-c", "echo ran", code=125)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("-f", result.stderr)
        with open(path) as file:
            self.assertEqual(file.read(), "precious")
        self.memlens("run", "-f", "-o", path, "true")
        with open(path, "rb") as file:
            self.assertEqual(file.read(4), b"\x89MLN")

    def test_an_output_that_cannot_be_created_is_one_line_and_the_program_does_not_run(self):
        for path in ("/no/such/directory/x.mlens", self.directory):
            result = self.memlens("run", "-o", path, "sh", "-c", "echo ran", code=125)
            self.assertEqual(result.stdout, "")
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)

    def test_the_end_names_capture_totals_and_next_command(self):
        result = self.memlens("run", "-o", "e.mlens", "sh", "-c", "true")
        self.assertIn("e.mlens", result.stderr)
        self.assertRegex(result.stderr, r"[\d,]+ allocations?, .* at the peak, .* still allocated")
        self.assertIn("memlens summary e.mlens", result.stderr)
        self.assertTrue(all(line.startswith("memlens: ") for line in result.stderr.splitlines()))

    def test_quiet_says_nothing(self):
        self.assertEqual(self.memlens("run", "-q", "true").stderr, "")

    def test_output_and_input_are_the_programs(self):
        result = subprocess.run([MEMLENS, "run", "-q", "-o", "c.mlens", "cat"], input=b"\0\xff\n" * 1000,
                                cwd=self.directory, stdout=subprocess.PIPE)
        self.assertEqual(result.stdout, b"\0\xff\n" * 1000)

    def test_a_pipe_behind_the_program_ends_with_the_program(self):
        # The recording goes on for the daemon's half second; who reads the output does not wait.
        command = (f"{MEMLENS} run -q -o p.mlens sh -c '(sleep 1 >/dev/null 2>&1 &) ; echo x'"
                   " | (cat; date +%s.%N); date +%s.%N")
        out = subprocess.run(["sh", "-c", command], cwd=self.directory, stdout=subprocess.PIPE,
                             text=True).stdout.split()
        self.assertEqual(out[0], "x")
        self.assertGreater(float(out[2]) - float(out[1]), 0.3)

    def test_the_program_sees_its_descriptors_and_signals_as_without_memlens(self):
        script = self.script(
            "import os, signal\n"
            "print(sorted(int(f) for f in os.listdir('/proc/self/fd') if int(f) < 900)[:3])\n"
            "status = open('/proc/self/status').read()\n"
            "print([l for l in status.splitlines() if l.startswith(('SigBlk', 'SigIgn'))])\n"
            "print(os.getpgrp() == os.getpgid(os.getppid()))\n")
        plain = subprocess.run([sys.executable, script], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True).stdout
        recorded = self.memlens("run", "-q", "--python", sys.executable, script).stdout
        self.assertEqual(recorded.splitlines()[:2], plain.splitlines()[:2])
        self.assertEqual(recorded.splitlines()[2], "True")

    def test_an_existing_preload_is_kept(self):
        environment = dict(os.environ, LD_PRELOAD="libm.so.6")
        result = self.memlens("run", "-q", "sh", "-c", "echo $LD_PRELOAD", env=environment)
        first, second = result.stdout.strip().split(":")
        self.assertTrue(first.endswith("/libmemlens.so"))
        self.assertEqual(second, "libm.so.6")


class WhatCannotBeRecorded(MemlensTest):
    def test_a_static_program_runs_untouched_and_the_end_says_why_nothing_was_recorded(self):
        compiler = self.need("cc")
        source = self.script("#include <unistd.h>\nint main(){return write(1,\"hi\\n\",3)!=3;}", "s.c")
        program = os.path.join(self.directory, "static-program")
        if subprocess.run([compiler, "-static", "-o", program, source]).returncode != 0:
            self.skipTest("no static libc")
        result = self.memlens("run", "-o", "s.mlens", program)
        self.assertEqual(result.stdout, "hi\n")
        self.assertIn("nothing was recorded", result.stderr)
        self.assertIn("linked statically", result.stderr)
        # --quiet is no reason to let a zero pass for a result.
        self.assertIn("nothing was recorded",
                      self.memlens("run", "-q", "-o", "t.mlens", program).stderr)


if __name__ == "__main__":
    main()
