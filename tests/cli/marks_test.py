"""Marks: moments that get a name while the program runs, and reports from one to the next."""
import os
import signal
import subprocess
import time

from memlens_testing import MEMLENS, MemlensTest, main

WAITING = """
import sys, time
def early(): return [bytearray(1000) for _ in range(100)]
def late(): return [bytearray(3000) for _ in range(100)]
kept = early()
print("ready", flush=True)
sys.stdin.readline()
kept += late()
print("done", flush=True)
sys.stdin.readline()
"""


class Marks(MemlensTest):
    def start(self, *options):
        """A recorded program that has allocated `early` and waits for a line."""
        self.capture = os.path.join(self.directory, "marked.mlens")
        program = subprocess.Popen(
            [MEMLENS, "run", "-q", "-o", self.capture, *options, self.script(WAITING)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self.directory)
        self.addCleanup(program.wait)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.kill)
        self.assertEqual(program.stdout.readline(), "ready\n")
        return program

    def go_on(self, program):
        program.stdin.write("\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), "done\n")

    def end(self, program):
        program.communicate("\n", timeout=60)
        self.assertEqual(program.returncode, 0)

    def recorded_child(self, program):
        with open(f"/proc/{program.pid}/task/{program.pid}/children", encoding="ascii") as file:
            return int(file.read().split()[0])

    def test_a_mark_from_another_terminal_parts_what_was_allocated_before_and_after(self):
        program = self.start()
        self.memlens("mark", self.recorded_child(program), "now it gets late")
        self.go_on(program)
        self.memlens("mark", self.recorded_child(program), "over")
        self.end(program)
        marks = self.summary(self.capture)["marks"]
        self.assertEqual([m["name"] for m in marks], ["now it gets late", "over"])
        self.assertLess(marks[0]["seconds"], marks[1]["seconds"])
        made = {}
        for stack in self.stacks("allocations", self.capture, "--from", "now it gets late",
                                 "--to", "over")["stacks"]:
            for function in {f["function"] for f in stack["frames"]} & {"early", "late"}:
                made[function] = made.get(function, 0) + stack["bytes"]
        self.assertNotIn("early", made)
        self.assertGreaterEqual(made["late"], 300_000)

    def test_the_recording_itself_can_be_named_instead_of_a_process(self):
        program = self.start()
        self.memlens("mark", program.pid, "everybody's")
        self.go_on(program)
        self.end(program)
        self.assertEqual([m["name"] for m in self.summary(self.capture)["marks"]], ["everybody's"])

    def test_a_program_marks_by_itself(self):
        capture = self.record([self.script("""
import ctypes
mark = ctypes.CDLL(None).memlens_mark
def before(): return bytearray(100_000)
def after(): return bytearray(200_000)
a = before()
mark(b"half way")
b = after()
mark(b"")
mark(None)
""")])
        self.assertEqual([m["name"] for m in self.summary(capture)["marks"]], ["half way"])
        stacks = self.stacks("allocations", capture, "--from", "half way")["stacks"]
        named = {f["function"] for s in stacks for f in s["frames"]}
        self.assertIn("after", named)
        self.assertNotIn("before", named)

    def test_a_program_can_ask_whether_it_is_recorded(self):
        script = self.script("import ctypes, sys\n"
                             "sys.exit(7 if ctypes.CDLL(None).memlens_enabled() else 1)")
        self.record([script], code=7)

    def test_marks_come_by_themselves_at_an_interval(self):
        program = self.start("--mark-every", "100ms")
        time.sleep(0.5)
        self.go_on(program)
        self.end(program)
        names = [m["name"] for m in self.summary(self.capture)["marks"]]
        self.assertGreaterEqual(len(names), 2)
        self.assertEqual(names, [f"mark {i + 1}" for i in range(len(names))])

    def test_sigusr2_to_a_program_that_has_no_use_for_it_is_a_mark_where_that_is_asked_for(self):
        program = self.start("--mark-on-usr2")
        self.signal_and_wait(self.recorded_child(program), 1)
        self.go_on(program)
        self.signal_and_wait(self.recorded_child(program), 2)
        self.end(program)
        self.assertEqual(self.mark_names(), ["SIGUSR2 1", "SIGUSR2 2"])

    def test_sigusr2_to_memlens_is_one_too_and_is_not_sent_on(self):
        program = self.start("--mark-on-usr2")
        self.signal_and_wait(program.pid, 1)
        self.end_both(program)
        self.assertEqual(self.mark_names(), ["SIGUSR2 1"])

    def test_a_handler_of_the_programs_own_stays_and_so_does_what_it_ignores(self):
        script = self.script("""
import os, signal, sys
signal.signal(signal.SIGUSR2, lambda *_: print("handled", flush=True))
os.kill(os.getpid(), signal.SIGUSR2)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-c",
                          "import os, signal; os.kill(os.getpid(), signal.SIGUSR2);"
                          "assert signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN;"
                          "print('ignored')"])
""")
        capture = os.path.join(self.directory, "own.mlens")
        result = self.memlens("run", "-q", "--mark-on-usr2", "-o", capture, script)
        self.assertEqual(result.stdout, "handled\nignored\n")
        self.assertEqual(self.summary(capture)["marks"], [])

    def test_unasked_sigusr2_does_what_it_does_without_memlens(self):
        capture = os.path.join(self.directory, "default.mlens")
        self.memlens("run", "-q", "-o", capture, "sh", "-c", "kill -USR2 $$",
                     code=128 + signal.SIGUSR2)

    def signal_and_wait(self, pid, count):
        """Marks that come within one look of the recorder's are one."""
        os.kill(pid, signal.SIGUSR2)
        deadline = time.monotonic() + 60
        while len(self.mark_names()) < count:
            self.assertLess(time.monotonic(), deadline)

    def mark_names(self):
        return [m["name"] for m in self.summary(self.capture)["marks"]]

    def test_a_mark_that_is_not_there_is_named_with_those_that_are(self):
        program = self.start()
        self.memlens("mark", program.pid, "one")
        self.end_both(program)
        result = self.memlens("peak", self.capture, "--from", "two", code=1)
        self.assertIn("no mark 'two' in it; there are one", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)
        result = self.memlens("peak", self.capture, "--from=-1", code=2)
        self.assertIn("before the start", result.stderr)

    def end_both(self, program):
        self.go_on(program)
        self.end(program)

    def test_dump_shows_marks(self):
        program = self.start()
        self.memlens("mark", program.pid, "with a \" in it")
        self.end_both(program)
        lines = [l for l in self.memlens("dump", self.capture).stdout.splitlines() if " mark " in l]
        self.assertEqual(len(lines), 1)
        self.assertIn(r'name="with a \" in it"', lines[0])

    def test_who_is_not_recorded_is_told_so_in_one_line(self):
        sleeper = subprocess.Popen(["sleep", "60"])
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        result = self.memlens("mark", sleeper.pid, "x", code=125)
        self.assertEqual(result.stderr, f"memlens: process {sleeper.pid} is not being recorded "
                                        "(or is another user's); memlens run or memlens attach "
                                        "starts a recording\n")
        sleeper.send_signal(signal.SIGKILL)
        sleeper.wait()
        result = self.memlens("mark", sleeper.pid, "x", code=125)
        self.assertEqual(result.stderr, f"memlens: there is no process {sleeper.pid}\n")
        self.memlens("mark", "0", "x", code=125)

    def test_a_mark_needs_a_name_of_bearable_length(self):
        program = self.start()
        for name in ("", "x" * 1100, "x" * 5000):
            result = self.memlens("mark", program.pid, name, code=125)
            self.assertEqual(result.stderr.count("\n"), 1)
        self.memlens("mark", program.pid, "x" * 1000)
        self.end_both(program)
        self.assertEqual(len(self.summary(self.capture)["marks"]), 1)


if __name__ == "__main__":
    main()
