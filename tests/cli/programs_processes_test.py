"""Process trees of every shape end up in one capture, and nobody notices."""
import json
import os
import re
import struct
import subprocess
import unittest

from memlens_testing import LIBRARY, MEMLENS, SUBPROCESS_IMAGES, MemlensTest, main

FIRST, SHARED, STARTED = 1000, 2000, 3000


class Trees(MemlensTest):
    def leaks_of(self, shape, *options, program=None, code=0):
        """Leaked bytes of each process, as a sorted list, of process_tree in one shape."""
        self.shape_capture = self.record(
            [self.program("process_tree"), shape, program or self.program("allocate")],
            "--no-native", *options, code=code)
        report = self.stacks("leaks", self.shape_capture)
        by_process = {}
        for stack in report["stacks"]:
            by_process[stack["pid"]] = by_process.get(stack["pid"], 0) + stack["bytes"]
        self.assertEqual(self.recording.stdout, "")
        return sorted(by_process.values())

    def assert_started(self, *shapes):
        for shape in shapes:
            with self.subTest(shape):
                # The child that execs has leaked nothing itself: the first process's block is in
                # its memory, but was not allocated there.
                self.assertEqual(self.leaks_of(shape), [FIRST, STARTED])

    def test_forked_children_are_processes_of_their_own(self):
        for shape in ("fork", "_Fork", "raw_fork", "raw_clone", "forkpty"):
            with self.subTest(shape):
                self.assertEqual(self.leaks_of(shape), [FIRST, SHARED])

    def test_a_child_is_known_by_what_was_started_and_not_by_its_parents_title(self):
        capture = self.record([self.program("rewrites_title"), "--first", "--second"])
        processes = re.findall(r"/rewrites_title\\x00--first\\x00--second",
                               self.memlens("dump", capture).stdout)
        self.assertEqual(len(processes), 2)

    def test_a_forked_child_uses_what_its_parent_has_mapped(self):
        for options in (["--native"], ["--no-native"]):
            with self.subTest(options):
                capture = self.record([self.program("fork_sparingly")], *options)
                self.assertEqual(self.recording.stdout, "")
                self.assertEqual(self.summary(capture)["processes"], 7)
                blocks = [s["blocks"] for s in self.stacks("allocations", capture)["stacks"]
                          if s["frames"] and s["bytes"] == 5000]
                self.assertEqual(sum(blocks), 600)

    def test_a_child_that_allocates_nothing_is_counted(self):
        self.leaks_of("silent_fork")
        self.assertEqual(self.summary(self.shape_capture)["processes"], 2)

    def test_every_exec_function_hands_on_the_session(self):
        self.assert_started("execve", "execv", "execvp", "execvpe", "execl", "execlp", "execle",
                            "execveat", "fexecve")

    def test_children_of_vfork_and_raw_fork_hand_on_the_session(self):
        self.assert_started("vfork_exec", "raw_fork_exec")

    def test_an_environment_without_the_session_gets_it(self):
        self.assert_started("empty_environment", "null_environment", "vfork_empty_environment",
                            "huge_environment")

    def test_spawned_programs_are_followed(self):
        self.assert_started("posix_spawn", "posix_spawnp")

    def test_programs_started_by_a_shell_are_followed(self):
        for shape in ("system", "popen"):
            with self.subTest(shape):
                self.leaks_of(shape)  # those of the shell among them
                leaks = self.stacks("leaks", self.shape_capture)["stacks"]
                self.assertEqual([stack["bytes"] for stack in leaks if stack["bytes"] == STARTED],
                                 [STARTED])

    def test_starts_that_fail_fail_as_ever_and_leave_no_process(self):
        self.assertEqual(self.leaks_of("failed_exec"), [FIRST, SHARED])
        self.assertEqual(self.leaks_of("failed_vfork_exec"), [FIRST])
        self.assertEqual(self.leaks_of("failed_spawn"), [FIRST])

    def test_children_never_wait_for_the_loaders_lock_of_their_parent(self):
        capture = self.record([self.program("fork_beside_loader"), self.program("allocate"),
                               "600"], "--no-native")
        self.assertEqual(self.summary(capture)["processes"], 1 + 400 + 400)

    def test_a_process_that_becomes_another_program_is_followed(self):
        self.leaks_of("exec_in_place")
        report = self.stacks("allocations", self.shape_capture)
        self.assertEqual(report["total_bytes"], FIRST + STARTED)

    def test_the_run_lasts_until_the_daemon_is_done(self):
        self.assertEqual(self.leaks_of("daemon"), [FIRST, SHARED])

    def test_a_double_fork_that_closes_every_descriptor_and_execs_is_followed(self):
        self.leaks_of("double_fork")
        report = self.stacks("allocations", self.shape_capture)
        self.assertEqual(report["total_bytes"], FIRST + SHARED + STARTED)

    def test_without_following_only_the_first_process_is_recorded(self):
        for shape in ("fork", "raw_fork", "execv", "vfork_exec", "posix_spawn", "system", "popen",
                      "empty_environment"):
            with self.subTest(shape):
                self.assertEqual(self.leaks_of(shape, "--no-follow"), [FIRST])
                self.assertEqual(self.summary(self.shape_capture)["processes"], 1)


class Environments(MemlensTest):
    def environment_of_child(self, *options, preload=None):
        script = self.script("import subprocess, sys\n"
                             "subprocess.run(['/usr/bin/env'], check=True)\n")
        environment = {"PATH": os.environ["PATH"], "MINE": "1"}
        if preload:
            environment["LD_PRELOAD"] = preload
        self.record(["/usr/bin/python3", script], *options, env=environment)
        return dict(line.split("=", 1) for line in self.recording.stdout.splitlines())

    def test_a_followed_child_has_our_library_before_its_own_preloads(self):
        other = os.path.join(os.path.dirname(LIBRARY), "..", "tests", "programs", "libraries",
                             "plugins", "libmemlens_test_plugin.so")
        environment = self.environment_of_child(preload=other)
        self.assertEqual(environment["LD_PRELOAD"].split(":")[1:], [other])

    def test_a_child_that_is_not_followed_has_the_programs_own_environment(self):
        environment = self.environment_of_child("--no-follow")
        self.assertNotIn("LD_PRELOAD", environment)
        self.assertNotIn("MEMLENS_SESSION", environment)
        self.assertEqual(environment["MINE"], "1")


def minimal_elf32():
    """A 32-bit x86 program that does exit(7)."""
    code = b"\xb8\x01\x00\x00\x00\xbb\x07\x00\x00\x00\xcd\x80"
    base = 0x08048000
    header = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, base + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    size = 84 + len(code)
    segment = struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096)
    return header + segment + code


class LeftOut(MemlensTest):
    """Programs that cannot be preloaded run untouched, and the capture says so."""

    def run_child(self, path, code=0):
        script = self.script("import subprocess, sys\n"
                             "sys.exit(subprocess.run([sys.argv[1], '3000']).returncode)\n")
        capture = self.record(["/usr/bin/python3", script, path], code=code)
        # One voice on stderr: ours. The loader has nothing to complain of.
        self.assertNotIn("ld.so", self.recording.stderr)
        self.assertNotIn("LD_PRELOAD", self.recording.stderr)
        return capture

    def diagnostics(self, capture):
        return self.memlens("dump", capture).stdout

    def test_a_static_program(self):
        path = self.program("allocate").replace("allocate", "allocate_static")
        if not os.path.exists(path):
            self.skipTest("the static libc is not installed")
        self.assertIn("allocate_static is linked statically",
                      self.diagnostics(self.run_child(path)))

    @staticmethod
    def content(path):
        with open(path, "rb") as file:
            return file.read()

    def executable(self, name, content):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o755)
        return path

    def test_a_32_bit_program(self):
        path = self.executable("old", minimal_elf32())
        try:
            if subprocess.run([path]).returncode != 7:
                self.skipTest("this machine does not run 32-bit programs as expected")
        except OSError as error:
            self.skipTest(f"this kernel runs no 32-bit programs: {error}")
        self.assertIn("old is for another processor or word size",
                      self.diagnostics(self.run_child(path, code=7)))

    def test_a_script_for_an_interpreter_that_cannot_be_preloaded(self):
        static = self.program("allocate").replace("allocate", "allocate_static")
        if not os.path.exists(static):
            self.skipTest("the static libc is not installed")
        inner = self.executable("inner", f"#!{static}\n".encode())
        outer = self.executable("outer", f"#!{inner}\n".encode())
        self.assertIn("outer is linked statically", self.diagnostics(self.run_child(outer)))

    def test_a_program_in_another_root(self):
        if os.geteuid() != 0:
            self.skipTest("chroot needs root")
        root = os.path.join(self.directory, "root")
        path = self.program("allocate")
        libraries = re.findall(r"(/\S+)", subprocess.run(
            ["ldd", path], text=True, check=True, capture_output=True).stdout)
        for file in [path, *libraries]:
            target = root + os.path.realpath(os.path.dirname(file)) + "/" + os.path.basename(file)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            subprocess.run(["cp", "-L", file, target], check=True)
        for link in ("/lib", "/lib64"):
            if os.path.islink(link) and not os.path.lexists(root + link):
                os.symlink(os.readlink(link), root + link)
        script = self.script(
            "import os, sys\n"
            "os.chroot(sys.argv[1]); os.chdir('/')\n"
            "sys.exit(os.spawnv(os.P_WAIT, sys.argv[2], [sys.argv[2], '3000']))\n")
        capture = self.record(["/usr/bin/python3", script, root, path])
        self.assertNotIn("ld.so", self.recording.stderr)
        self.assertIn("allocate runs where libmemlens.so cannot be found",
                      self.diagnostics(capture))

    def test_a_program_that_changes_its_user_is_left_out_for_others(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to make such a program")
        os.chmod(self.directory, 0o755)
        path = self.executable("privileged", self.content(self.program("allocate")))
        os.chmod(path, 0o4755)
        script = self.script("import os, subprocess, sys\n"
                             "os.setgid(65534); os.setuid(65534)\n"
                             "sys.exit(subprocess.run([sys.argv[1], '3000']).returncode)\n")
        capture = self.record(["/usr/bin/python3", script, path])
        self.assertNotIn("ld.so", self.recording.stderr)
        self.assertIn("privileged gains privileges", self.diagnostics(capture))


class PythonTrees(MemlensTest):
    def processes(self, text, *options):
        capture = self.record(["/usr/bin/python3", self.script(text)], *options)
        self.output = self.recording.stdout
        return self.summary(capture)["processes"]

    def test_multiprocessing_in_its_three_ways(self):
        # spawn and forkserver start helpers of their own (resource tracker, server).
        for method, least in (("fork", 3), ("spawn", 4), ("forkserver", 5)):
            with self.subTest(method):
                count = self.processes(
                    "import multiprocessing as m\n"
                    "def work(n):\n    return len(bytearray(n))\n"
                    "if __name__ == '__main__':\n"
                    f"    m.set_start_method({method!r})\n"
                    "    with m.Pool(2) as pool:\n"
                    "        print(sum(pool.map(work, [100000] * 10)))\n")
                self.assertEqual(self.output, "1000000\n")
                self.assertGreaterEqual(count, least)

    def test_subprocess_with_an_empty_environment(self):
        count = self.processes("import subprocess\n"
                               f"subprocess.run([{self.program('allocate')!r}], env={{}})\n")
        self.assertEqual(count, 1 + SUBPROCESS_IMAGES)

    def test_subprocess_with_a_shell_pipeline(self):
        count = self.processes(
            "import subprocess\n"
            "subprocess.run('ls / | wc -l > /dev/null', shell=True, check=True)\n")
        self.assertGreaterEqual(count, 4)


if __name__ == "__main__":
    main()
