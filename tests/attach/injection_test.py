"""`memlens attach` on programs that were not started by memlens."""
import ctypes
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

from attached_program import STEPS, AttachedProgram
from attach_cycles import LONE, PROGRAMS, attach, finish, summary, wait_for
from memlens_testing import BUILD, LIBRARY, MEMLENS, MemlensTest, main

VFORKS = os.path.join(BUILD, "tests", "attach", "vforks")

SECCOMP = """
import ctypes, struct, sys
number, verdict = int(sys.argv[1]), int(sys.argv[2], 16)
instructions = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, verdict),
                (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in instructions))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
program = Program(len(instructions), ctypes.addressof(code))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
"""


class Injection(AttachedProgram, MemlensTest):
    def steps(self, *prefix, text=STEPS, **options):
        return self.start([*prefix, sys.executable, self.script(text)], **options)

    def attach(self, program, *options, pid=None):
        capture = os.path.join(self.directory, "attached.mlens")
        attached = attach(program, capture, *options, pid=pid)
        self.addCleanup(attached.stderr.close)
        self.addCleanup(attached.wait)
        self.addCleanup(attached.kill)
        wait_for(attached, "attached to")
        return attached, capture

    def threads(self, program):
        return len(os.listdir(f"/proc/{program.pid}/task"))

    # -- what it does ---------------------------------------------------------------------------

    def test_no_thread_stays(self):
        program = self.steps()
        attached, _ = self.attach(program)
        self.ask(program, "during")
        deadline = time.monotonic() + 30
        while self.threads(program) != 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(self.threads(program), 1)
        attached.send_signal(signal.SIGINT)
        finish(attached)
        self.end(program)

    def test_what_an_attach_leaves_is_used_by_the_next(self):
        program = self.steps()

        def executable_pages():
            with open(f"/proc/{program.pid}/maps", encoding="ascii") as maps:
                return [line.split()[0] for line in maps
                        if " r-xp " in line and len(line.split()) == 5]
        seen = []
        for _ in range(3):
            attached, _ = self.attach(program)
            self.ask(program, "during")
            attached.send_signal(signal.SIGINT)
            finish(attached)
            seen.append(executable_pages())
        self.assertEqual(seen[0], seen[2])
        self.end(program)

    def test_reports_say_after_what_time_and_what_it_had_in_memory(self):
        program = self.steps()
        time.sleep(0.3)
        attached, capture = self.attach(program)
        self.ask(program, "during")
        attached.send_signal(signal.SIGINT)
        finish(attached)
        totals = summary(capture)
        self.assertGreater(totals["attached_after_seconds"], 0.2)
        self.assertGreater(totals["rss_at_attach_bytes"], 1_000_000)
        text = self.memlens("summary", capture).stdout
        self.assertRegex(text, r"attached after [0-9.]+ s with an RSS of [0-9.]+ MB")
        self.assertIn("before memlens was attached", text)  # the frees of before()
        self.assertNotIn("__libc_malloc", text)

    def test_a_recording_from_the_start_was_not_attached(self):
        totals = self.summary(self.record(["true"]))
        self.assertIsNone(totals["attached_after_seconds"])
        self.assertIsNone(totals["rss_at_attach_bytes"])

    def test_a_duration_ends_it(self):
        program = self.steps()
        attached, capture = self.attach(program, "--duration", "1.5")
        self.ask(program, "during")
        finish(attached)
        self.assertTrue(summary(capture)["complete"])
        self.end(program)

    def test_a_program_that_sleeps_is_recorded_at_once(self):
        sleeper = subprocess.Popen(["sleep", "60"])
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        while os.readlink(f"/proc/{sleeper.pid}/exe") == os.readlink("/proc/self/exe"):
            time.sleep(0.01)
        capture = os.path.join(self.directory, "sleeper.mlens")
        self.memlens("attach", sleeper.pid, "--duration", "0.5", "-o", capture)
        self.assertTrue(summary(capture)["complete"])
        self.assertIsNone(sleeper.poll())

    def test_a_program_that_is_killed_leaves_a_good_capture(self):
        program = self.steps()
        attached, capture = self.attach(program)
        self.ask(program, "during")
        program.kill()
        finish(attached)
        self.assertIn("during", self.made(capture))

    def test_memlens_killed_at_any_moment_leaves_the_program_as_it_is(self):
        program = self.start([LONE])
        for number in range(20):
            attached = attach(program, os.path.join(self.directory, "killed.mlens"))
            time.sleep(random.Random(number).uniform(0, 0.08))
            attached.kill()
            attached.communicate()
            self.assertIsNone(program.poll())
        # What the last one began may take a moment to end by itself.
        deadline = time.monotonic() + 60
        while True:
            attached = attach(program, os.path.join(self.directory, "after.mlens"), "--duration",
                              "0.3")
            said = attached.communicate(timeout=60)[1]
            if attached.returncode == 0 or time.monotonic() > deadline:
                break
            self.assertIn("try again", said)
        self.assertEqual(attached.returncode, 0, said)
        self.assertIsNone(program.poll())
        program.kill()
        # It says that the recording has ended, where one had begun, and nothing else.
        self.assertRegex(program.stderr.read(), rb"^(memlens: recording stopped: the memlens process "
                                                rb".*; the program runs on\n)*$")

    def test_children_that_it_forks_are_recorded_with_it(self):
        program = self.steps()
        attached, capture = self.attach(program)
        self.ask(program, "fork")
        self.memlens("detach", program.pid)
        finish(attached)
        self.assertEqual(summary(capture)["processes"], 2)
        self.end(program)

    def test_programs_that_it_starts_are_recorded_with_it(self):
        program = self.steps()
        attached, capture = self.attach(program)
        self.ask(program, "exec")
        self.memlens("detach", program.pid)
        finish(attached)
        self.assertGreaterEqual(summary(capture)["processes"], 2)
        self.end(program)

    def test_a_child_forked_after_a_detach_is_attached_to_by_itself(self):
        program = self.steps(text="""
import os, sys, time
print("ready", flush=True)
sys.stdin.readline()
pid = os.fork()
if pid == 0:
    while True:
        kept = [bytearray(2000) for _ in range(100)]
        time.sleep(0.01)
print(pid, flush=True)
sys.stdin.readline()
""")
        capture = os.path.join(self.directory, "parent.mlens")
        self.memlens("attach", program.pid, "--duration", "0.3", "-o", capture)
        program.stdin.write(b"fork\n")
        program.stdin.flush()
        child = int(program.stdout.readline())
        self.addCleanup(os.kill, child, signal.SIGKILL)
        capture = os.path.join(self.directory, "child.mlens")
        self.memlens("attach", child, "--duration", "0.5", "-o", capture)
        self.assertGreater(summary(capture)["allocations"], 100)

    def test_a_parent_in_vfork_is_waited_for(self):
        program = self.start([VFORKS])
        attached, capture = self.attach(program)
        self.assertEqual(program.stdout.readline(), b"went on\n")
        time.sleep(0.2)
        attached.send_signal(signal.SIGINT)
        finish(attached)
        self.assertGreater(summary(capture)["allocations"], 0)
        program.stdin.close()
        self.assertEqual(program.wait(60), 0)

    # -- trees and namespaces -------------------------------------------------------------------

    def test_children_that_it_has_are_recorded_too_where_that_is_asked_for(self):
        program = self.start([sys.executable, os.path.join(PROGRAMS, "prefork.py")])
        _, *workers = program.stdout.readline().decode().split()
        attached, capture = self.attach(program, "--children")
        time.sleep(1)
        attached.send_signal(signal.SIGINT)
        finish(attached)
        self.assertEqual(summary(capture)["processes"], 1 + 3 + 2)  # and two clients
        for pid in workers:
            seen = json.loads(self.memlens("summary", "--json", "--pid", pid, capture).stdout)
            self.assertGreater(seen["allocations"], 0)
        program.terminate()
        self.assertEqual(program.wait(60), 0)
        self.assertEqual(program.stderr.read(), b"")

    def unshared(self, *options, shell="exec"):
        """STEPS in namespaces of its own."""
        unshare = [self.need("unshare"), *options, "--"]
        if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("unshare " + " ".join(options) + " is not permitted here")
        program = self.start([*unshare, "sh", "-c", f'{shell} "$@"', "sh", sys.executable,
                              self.script(STEPS)])
        # With -f, unshare is the parent of what it starts.
        with open(f"/proc/{program.pid}/task/{program.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        return program, int(children[0]) if children else program.pid

    def recorded_in_namespaces(self, *options, **more):
        program, pid = self.unshared(*options, **more)
        for _ in range(2):
            attached, capture = self.attach(program, pid=pid)
            self.ask(program, "during")
            self.ask(program, "fork")
            self.ask(program, "exec")
            attached.send_signal(signal.SIGINT)
            finish(attached)
            self.assertIn("during", self.made(capture))
        self.end(program)

    def test_in_a_mount_namespace_that_hides_the_library(self):
        self.recorded_in_namespaces(
            "-m", "--propagation", "private",
            shell=f"mount -t tmpfs none {os.path.dirname(LIBRARY)} && exec")

    def test_in_a_pid_namespace(self):
        self.recorded_in_namespaces("-m", "-p", "-f", "--mount-proc")

    def test_where_neither_paths_nor_sockets_lead_to_the_recording(self):
        self.recorded_in_namespaces("-m", "-p", "-n", "-i", "-u", "-f", "--mount-proc")

    def test_in_a_user_namespace_as_well(self):
        self.recorded_in_namespaces("-U", "-r", "-m", "-p", "-n", "-f", "--mount-proc")

    # -- what it refuses, in one line, and leaves as it was ------------------------------------

    def refused(self, pid, words, prefix=()):
        result = subprocess.run([*prefix, MEMLENS, "attach", str(pid), "-o",
                                 os.path.join(self.directory, "refused.mlens")],
                                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                timeout=60, cwd=self.directory)
        self.assertEqual((result.returncode, result.stderr.count("\n")), (125, 1), result.stderr)
        self.assertIn(words, result.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "refused.mlens")))

    def test_what_another_traces(self):
        program = self.steps()
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long] * 4
        seize, detach, interrupt = 0x4206, 17, 0x4207
        if libc.ptrace(seize, program.pid, 0, 0) != 0:
            self.skipTest("ptrace is not to be had here")
        self.refused(program.pid, f"is being traced by process {os.getpid()}")
        libc.ptrace(interrupt, program.pid, 0, 0)
        os.waitpid(program.pid, 0x40000000)  # __WALL
        libc.ptrace(detach, program.pid, 0, 0)
        self.end(program)

    def test_a_process_that_is_stopped(self):
        program = self.steps()
        program.send_signal(signal.SIGSTOP)
        while True:
            with open(f"/proc/{program.pid}/stat", encoding="ascii") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "T":
                    break
        self.refused(program.pid, "is stopped; continue it first")
        program.send_signal(signal.SIGCONT)
        self.end(program)

    def test_a_thread_of_the_kernel(self):
        with open("/proc/2/comm", encoding="ascii") as comm:
            if comm.read() != "kthreadd\n" or os.geteuid() != 0:
                self.skipTest("no kernel thread can be seen here")
        self.refused(2, "is a thread of the kernel")

    def compiled(self, *command):
        source = os.path.join(self.directory, "waits.c")
        with open(source, "w", encoding="ascii") as file:
            file.write("#include <stdio.h>\n#include <unistd.h>\n"
                       "int main(void) { puts(\"ready\"); fflush(stdout); pause(); return 0; }\n")
        program = os.path.join(self.directory, "waits")
        if subprocess.run([*command, source, "-o", program], stderr=subprocess.DEVNULL).returncode:
            self.skipTest(" ".join(command) + " does not work here")
        return program

    def test_a_static_program(self):
        program = self.start([self.compiled(self.need("cc"), "-static")])
        self.refused(program.pid, "is linked statically")
        self.assertIsNone(program.poll())

    def test_a_program_of_another_libc(self):
        program = self.start([self.compiled(self.need("musl-gcc"))])
        self.refused(program.pid, "uses another libc than glibc")
        self.assertIsNone(program.poll())

    def under_filter(self, number, verdict):
        return self.start([sys.executable, self.script(SECCOMP + STEPS), str(number), hex(verdict)])

    def test_a_filter_that_would_kill_is_evaluated_before_anything_is_done(self):
        if os.uname().machine != "x86_64" or os.geteuid() != 0:
            self.skipTest("reading filters takes root; numbers of calls are x86-64's")
        for number, name in ((56, "clone"), (319, "memfd_create"), (310, "process_vm_readv")):
            program = self.under_filter(number, 0x80000000)
            self.refused(program.pid, f"forbids {name}")
            self.assertIsNone(program.poll())
            self.assertEqual(self.threads(program), 1)
            self.ask(program, "during")

    def test_a_filter_that_forbids_something_else_does_not_matter(self):
        if os.uname().machine != "x86_64" or os.geteuid() != 0:
            self.skipTest("reading filters takes root; numbers of calls are x86-64's")
        program = self.under_filter(161, 0x80000000)  # chroot
        attached, capture = self.attach(program)
        self.ask(program, "during")
        self.memlens("detach", program.pid)
        finish(attached)
        self.assertIn("during", self.made(capture))
        self.end(program)

    def test_a_child_of_vfork_in_its_parents_memory(self):
        program = self.start([VFORKS])
        self.refused(int(program.first_line.split()[1]), "is a child of vfork")
        self.assertEqual(program.stdout.readline(), b"went on\n")

    def test_a_program_without_a_file_descriptor_left(self):
        program = self.start([sys.executable, "-c", "import resource\n"
                              "print('ready', flush=True)\n"
                              "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
                              "import sys; sys.stdin.readline(); sys.exit(7)"])
        while True:  # until the limit is there
            with open(f"/proc/{program.pid}/limits", encoding="ascii") as limits:
                if re.search(r"Max open files +3 ", limits.read()):
                    break
        self.refused(program.pid, "has no file descriptor left")
        self.end(program)

    def test_a_program_that_ends_meanwhile_is_told_of_as_one(self):
        for delay in range(24):
            program = subprocess.Popen(["sleep", f"0.0{delay:02}"])
            result = self.memlens("attach", program.pid, "-q", "-f", "-o",
                                  os.path.join(self.directory, "ending.mlens"), code=None)
            self.assertEqual(program.wait(), 0)
            if result.returncode != 0:
                self.assertRegex(result.stderr, "has ended|there is no process|not started yet|exec")

    def test_what_is_recorded_already(self):
        program = self.steps()
        attached, _ = self.attach(program)
        self.refused(program.pid, "already being recorded")
        attached.send_signal(signal.SIGINT)
        finish(attached)
        self.end(program)

    def test_another_users_process(self):
        if os.geteuid() != 0:
            self.skipTest("takes root to become another user")
        setpriv = [self.need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        if subprocess.run([*setpriv, MEMLENS, "--version"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest("memlens lies where others cannot start it")
        os.chmod(self.directory, 0o777)
        program = self.steps()
        self.refused(program.pid, "is another user's (uid 0)", setpriv)
        protected = self.steps(*setpriv, text="""
import ctypes
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
""" + STEPS)
        self.refused(protected.pid, "attach as root", setpriv)
        self.end(program)
        self.end(protected)

    def test_without_the_capability(self):
        if os.geteuid() != 0:
            self.skipTest("takes root to lose a capability")
        program = self.steps()
        self.refused(program.pid, "CAP_SYS_PTRACE",
                     [self.need("setpriv"), "--bounding-set=-sys_ptrace", "--"])
        self.end(program)


if __name__ == "__main__":
    main()
