"""Runs where something that memlens counts on is missing: descriptors, /proc, threads, the output."""
import os
import re
import signal
import subprocess

from memlens_testing import MEMLENS, MemlensTest, main


class Descriptors(MemlensTest):
    def test_messages_never_land_in_the_capture(self):
        for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"):
            with self.subTest(closed):
                result = subprocess.run(
                    ["sh", "-c", f'exec "$@" {closed}', "-", MEMLENS, "run", "-f", "-o", "c.mlens",
                     self.program("allocate"), "1000"], cwd=self.directory, timeout=60)
                self.assertEqual(result.returncode, 0)
                summary = self.summary(os.path.join(self.directory, "c.mlens"))
                self.assertEqual(summary["leaked_bytes"], 1000)

    def test_the_program_finds_them_closed_as_it_would_have(self):
        script = "ls -l /proc/self/fd | grep -c /dev/null"
        result = subprocess.run(
            ["sh", "-c", 'exec "$@" 0<&-', "-", MEMLENS, "run", "-q", "-o", "c.mlens", "sh", "-c",
             script], cwd=self.directory, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.stdout, "0\n")


class Output(MemlensTest):
    def test_an_output_that_was_removed_is_not_called_written(self):
        for action in ("rm gone.mlens", "mv gone.mlens elsewhere; echo > gone.mlens"):
            with self.subTest(action):
                result = self.memlens("run", "-f", "-o", "gone.mlens", "--", "sh", "-c", action)
                self.assertNotIn("written to", result.stderr)
                self.assertIn("gone.mlens was removed or replaced while it was written",
                              result.stderr)


class Background(MemlensTest):
    def test_an_interrupt_reaches_the_handler_of_a_scripts_background_job(self):
        # A shell without job control starts its background jobs with SIGINT ignored.
        script = self.script(
            "import os, signal, sys, time\n"
            "signal.signal(signal.SIGINT, lambda *_: os._exit(7))\n"
            "print('ready', flush=True)\n"
            "time.sleep(30)\n")
        process = subprocess.Popen(
            ["sh", "-c", '"$@" & echo $!; wait $!', "-", MEMLENS, "run", "-q", "-o", "i.mlens",
             script], cwd=self.directory, stdout=subprocess.PIPE, text=True)
        pid = int(process.stdout.readline())
        self.assertEqual(process.stdout.readline(), "ready\n")
        os.kill(pid, signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 7)


class Limits(MemlensTest):
    def test_names_are_found_where_no_thread_can_be_made(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to run as a user of its own")
        os.chmod(self.directory, 0o777)
        limited = ("import os, resource, sys\n"
                   "resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))\n"
                   "os.setgid(54321); os.setuid(54321)\n"
                   "os.execv(sys.argv[1], sys.argv[1:])\n")
        result = subprocess.run(
            ["/usr/bin/python3", "-c", limited, MEMLENS, "run", "-f", "-o", "u.mlens",
             self.program("allocate"), "1000"], cwd=self.directory, timeout=60,
            capture_output=True, text=True)
        if result.returncode != 0:
            self.skipTest(f"another user cannot run it here: {result.stderr}")
        leak = self.stacks("leaks", os.path.join(self.directory, "u.mlens"))["stacks"][0]
        self.assertIn("main", [frame["function"] for frame in leak["frames"]])

    def test_a_refused_gettid_leaves_the_capture_readable(self):
        capture = self.record([self.program("refused_calls")], code=None)
        if self.recording.returncode == 77:
            self.skipTest("no filters here")
        self.assertEqual(self.recording.stdout, "fine\n")
        stacks = self.stacks("allocations", capture)["stacks"]
        self.assertEqual(sum(s["bytes"] for s in stacks if s["bytes"] == 54_321_000), 54_321_000)

    def test_a_list_that_kills_needs_what_the_readme_names_and_no_more(self):
        readme = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../README.md")
        if not os.path.exists(readme):
            self.skipTest("the README is not here")
        with open(readme, encoding="utf-8") as file:
            told = re.search(r"for each thread that allocates, (.*?); at the end of a process (.*?);"
                             r" in a forked child .*?; and from time to time (.*?)\(with arguments",
                             re.sub(r"\s+", " ", file.read()))
        names = sorted({name for part in told.groups() for name in re.findall(r"`([a-z_]+)`", part)})
        program = self.program("kill_list")
        plain = subprocess.run([program], capture_output=True, text=True, timeout=60)
        if plain.returncode == 77:
            self.skipTest("no filters here")
        self.assertEqual((plain.returncode, plain.stdout), (0, "fine\n"))
        for options in ((), ("--no-native",), ("--sample", "1K")):
            with self.subTest(options=options):
                capture = self.record([program, *names], *options)
                self.assertEqual(self.recording.stdout, "fine\n")
                if "--sample" not in options:
                    stacks = self.stacks("allocations", capture)["stacks"]
                    self.assertEqual(sum(s["blocks"] for s in stacks if s["bytes"] == 50 * s["blocks"]),
                                     40_000)
        # The list is one that kills.
        self.record([program], code=128 + signal.SIGSYS)


class WithoutProc(MemlensTest):
    def test_the_true_cause_is_named(self):
        hide = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "-"]
        if subprocess.run([*hide, "true"], capture_output=True).returncode != 0:
            self.skipTest("no mount namespaces here")
        result = subprocess.run([*hide, MEMLENS, "run", "-o", "p.mlens", "true"],
                                cwd=self.directory, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 125)
        self.assertIn("memlens needs /proc to be mounted", result.stderr)


if __name__ == "__main__":
    main()
