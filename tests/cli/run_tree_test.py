"""The tree of processes: who is recorded, and when the recording ends."""
import json
import os
import shutil
import subprocess
import sys
import time

from memlens_testing import LIBRARY, MEMLENS, SUBPROCESS_IMAGES, MemlensTest, main


class ProcessTree(MemlensTest):
    def processes(self, capture):
        return self.summary(capture)["processes"]

    def test_children_by_fork_exec_and_spawn_are_in_one_capture(self):
        script = self.script("""
import os, subprocess
if os.fork() == 0:
    x = bytearray(12345); os._exit(0)
os.wait()
subprocess.run(["true"])
os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)
""")
        self.assertEqual(self.processes(self.record([script])), 3 + SUBPROCESS_IMAGES)

    def test_without_following_there_is_the_first_process_only(self):
        script = self.script("""
import os, subprocess
if os.fork() == 0:
    x = bytearray(12345); os._exit(0)
os.wait()
subprocess.run(["true"])
""")
        self.assertEqual(self.processes(self.record([script], "--no-follow")), 1)

    def test_the_recording_does_not_wait_for_children_it_does_not_follow(self):
        started = time.monotonic()
        self.record(["sh", "-c", "sleep 5 >/dev/null 2>&1 &"], "--no-follow")
        self.assertLess(time.monotonic() - started, 4)

    def test_the_recording_ends_when_a_daemon_without_descriptors_does(self):
        script = self.script("""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 1100)
        time.sleep(0.7)
        blocks = [bytearray(1000 + i) for i in range(500)]
        os._exit(0)
    os._exit(0)
""")
        started = time.monotonic()
        capture = self.record([script])
        self.assertGreater(time.monotonic() - started, 0.7)
        self.assertEqual(self.processes(capture), 3)
        leaks = self.stacks("leaks", capture)
        daemon = [s for s in leaks["stacks"] if s["bytes"] >= 500 * 1000]
        self.assertTrue(daemon, "the daemon's last allocations are missing")

    def test_a_daemon_that_starts_another_program_is_followed(self):
        script = self.script("""
import os
import shutil
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 1100)
        for i in range(3): os.open("/dev/null", os.O_RDWR)
        os.execv("/bin/sh", ["sh", "-c", "sleep 0.5; true"])
    os._exit(0)
""")
        started = time.monotonic()
        capture = self.record([script])
        self.assertGreater(time.monotonic() - started, 0.5)
        self.assertGreaterEqual(self.processes(capture), 4)

    def test_a_short_run_ends_at_once(self):
        self.record(["true"])
        started = time.monotonic()
        self.record(["sh", "-c", "/bin/true; /bin/true"])
        self.assertLess(time.monotonic() - started, 1.5)

    def test_more_processes_than_slots_at_once_come_one_after_another(self):
        script = self.script("""
import os
import shutil
for i in range(300):
    if os.fork() == 0: os._exit(0)
    os.wait()
""")
        self.assertEqual(self.processes(self.record([script])), 301)

    def test_a_child_in_its_own_pid_namespace_is_recorded(self):
        unshare = self.need("unshare")
        if subprocess.run([unshare, "--pid", "--fork", "--mount-proc", "true"],
                          stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("new pid namespaces need root, and no chroot")
        capture = self.record([unshare, "--pid", "--fork", "--mount-proc", "--", "sh", "-c",
                               "sleep 0.2; exit 3"], code=3)
        self.assertGreaterEqual(self.processes(capture), 3)

    def test_a_program_that_gives_up_its_rights_and_its_children_are_recorded(self):
        if os.getuid() != 0:
            self.skipTest("giving up rights needs root")
        script = self.script("import os, subprocess\n"
                             "os.setgid(65534); os.setuid(65534)\n"
                             "subprocess.run(['/bin/true'])\n", "drop.py")
        # Installed where everybody can read it, whatever the rights of the build folder.
        os.chmod(self.directory, 0o755)
        installed = []
        for file, folder in ((MEMLENS, "bin"), (LIBRARY, "lib")):
            os.mkdir(os.path.join(self.directory, folder))
            installed.append(shutil.copy(file, os.path.join(self.directory, folder)))
        capture = self.record([script], "--python", "/usr/bin/python3", memlens=installed[0])
        self.assertEqual(self.processes(capture), 1 + SUBPROCESS_IMAGES)

    def test_exit_codes_of_processes_are_known(self):
        capture = self.record(["sh", "-c", "sh -c 'exit 7'; exit 5"], code=5)
        self.assertTrue(self.summary(capture)["complete"])


class PreloadedByHand(MemlensTest):
    def test_a_program_with_the_library_and_no_session_gets_a_collector_of_its_own(self):
        environment = dict(os.environ, LD_PRELOAD=LIBRARY)
        result = subprocess.run(["/usr/bin/python3", "-c", "import os; print(os.getpid())"],
                                env=environment, cwd=self.directory, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        pid = result.stdout.strip()
        capture = os.path.join(self.directory, f"memlens-python3-{pid}.mlens")
        self.assertIn(os.path.basename(capture), result.stderr)
        summary = self.summary(capture)
        self.assertTrue(summary["complete"])
        self.assertGreater(summary["allocations"], 1000)

    def test_it_can_be_sampled(self):
        for size, sample_bytes in (("64Ki", 64 * 1024), ("64K", 64_000), (None, 0)):
            capture = os.path.join(self.directory, f"{size}.mlens")
            environment = dict(os.environ, LD_PRELOAD=LIBRARY, MEMLENS_OUTPUT=capture)
            if size is not None:
                environment["MEMLENS_SAMPLE"] = size
            subprocess.run(["/usr/bin/python3", "-c", "x = bytearray(5_000_000)"], env=environment,
                           check=True, stderr=subprocess.PIPE, timeout=60)
            summary = self.summary(capture)
            self.assertEqual(summary["sample_bytes"], sample_bytes)
            self.assertGreater(summary["allocated_bytes"], 5_000_000)

    def test_an_impossible_sample_size_is_said_and_the_program_runs_unrecorded(self):
        environment = dict(os.environ, LD_PRELOAD=LIBRARY, MEMLENS_SAMPLE="many")
        result = subprocess.run(["/bin/echo", "here"], env=environment, cwd=self.directory,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                timeout=60)
        self.assertEqual((result.returncode, result.stdout), (0, "here\n"))
        self.assertIn("many", result.stderr)
        self.assertIn("nothing is recorded", result.stderr)

    def test_its_children_join_it(self):
        environment = dict(os.environ, LD_PRELOAD=LIBRARY,
                           MEMLENS_OUTPUT=os.path.join(self.directory, "hand-%p.mlens"))
        result = subprocess.run(["sh", "-c", "echo $$; sh -c true; sh -c true; true"],
                                env=environment, cwd=self.directory, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, timeout=60)
        capture = os.path.join(self.directory, f"hand-{result.stdout.strip()}.mlens")
        self.assertEqual(self.summary(capture)["processes"], 3, result.stderr)
        self.assertEqual([n for n in os.listdir(self.directory) if n.endswith(".mlens")],
                         [os.path.basename(capture)])


if __name__ == "__main__":
    main()
