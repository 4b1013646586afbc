"""`memlens run --dormant`, and what `memlens attach` and `detach` make of it."""
import os
import signal
import subprocess
import time

from attached_program import STEPS, AttachedProgram
from attach_cycles import (BUSY, attach, dormant_environment, finish, ledger_cycle, Busy, summary,
                           wait_for)
from memlens_testing import MEMLENS, MemlensTest, main


class Dormant(AttachedProgram, MemlensTest):
    def steps(self):
        return self.start([MEMLENS, "run", "--dormant", self.script(STEPS)])

    def attach(self, program, *options):
        """Attaches, makes the program allocate until it has joined."""
        capture = os.path.join(self.directory, "attached.mlens")
        attached = attach(program, capture, *options)
        self.addCleanup(attached.stderr.close)
        self.addCleanup(attached.wait)
        self.addCleanup(attached.kill)
        wait_for(attached, "waiting for")
        self.ask(program, "wake")
        wait_for(attached, "attached to")
        return attached, capture

    def test_its_exit_code_and_output_are_the_programs(self):
        result = self.memlens("run", "--dormant", "sh", "-c", "echo out; echo err >&2; exit 5",
                              code=5)
        self.assertEqual((result.stdout, result.stderr), ("out\n", "err\n"))
        self.assertEqual(os.listdir(self.directory), [])

    def test_a_program_that_is_not_there_is_127(self):
        self.memlens("run", "--dormant", "/nowhere/program", code=127)

    def test_death_by_a_signal_is_the_programs(self):
        self.memlens("run", "--dormant", "sh", "-c", "kill -TERM $$", code=-signal.SIGTERM)

    def test_the_summary_says_after_what_time_and_no_free_is_an_error(self):
        program = self.steps()
        attached, capture = self.attach(program)
        self.ask(program, "during")  # frees what was made before
        attached.send_signal(signal.SIGINT)
        finish(attached)
        text = self.memlens("summary", capture).stdout
        self.assertRegex(text, r"attached after [0-9.]+ s with an RSS of [0-9.]+ MB")
        self.assertIn("its frees are no errors", text)

    def test_a_mark_is_set_while_it_is_attached(self):
        program = self.steps()
        attached, capture = self.attach(program)
        self.memlens("mark", program.pid, "warm")
        self.ask(program, "during")
        self.memlens("detach", program.pid)
        finish(attached)
        self.assertEqual([m["name"] for m in summary(capture)["marks"]], ["warm"])

    def test_a_duration_ends_it(self):
        program = self.steps()
        capture = os.path.join(self.directory, "timed.mlens")
        attached = attach(program, capture, "--duration", "1500ms")
        wait_for(attached, "waiting for")
        self.ask(program, "during")
        finish(attached)
        self.assertGreater(summary(capture)["allocations"], 100)
        self.ask(program, "still there")

    def test_a_forked_child_is_dormant_and_is_attached_to_by_itself(self):
        program = self.start([MEMLENS, "run", "--dormant", self.script("""
import os, sys, time
pid = os.fork()
if pid == 0:
    while True:
        kept = [bytearray(2000) for _ in range(100)]
        time.sleep(0.01)
print("ready", flush=True)
print(pid, flush=True)
sys.stdin.readline()
""")])
        child = int(program.stdout.readline())
        self.addCleanup(os.kill, child, signal.SIGKILL)
        capture = os.path.join(self.directory, "child.mlens")
        self.memlens("attach", child, "--duration", "0.5", "-o", capture)
        totals = summary(capture)
        self.assertGreater(totals["allocations"], 100)
        self.assertEqual(totals["processes"], 1)

    def test_children_started_meanwhile_are_recorded_with_it(self):
        program = self.start([MEMLENS, "run", "--dormant", self.script("""
import os, sys
print("ready", flush=True)
for line in sys.stdin:
    if line == "fork\\n":
        pid = os.fork()
        if pid == 0:
            kept = [bytearray(2000) for _ in range(100)]
            os._exit(0)
        os.waitpid(pid, 0)
    print(line.strip(), flush=True)
""")])
        attached, capture = self.attach(program)
        self.ask(program, "fork")
        self.memlens("detach", program.pid)
        finish(attached)
        self.assertEqual(summary(capture)["processes"], 2)

    def test_totals_are_the_programs_own_after_a_recording_of_samples(self):
        program = Busy(dormant=True)
        self.addCleanup(program.end)
        capture = os.path.join(self.directory, "ledger.mlens")
        finish(attach(program, capture, "-q", "--sample", "1K", "--duration", "0.3"))
        self.assertGreater(summary(capture)["sample_bytes"], 0)
        recorded, done, _ = ledger_cycle(program, capture, 0.2)
        self.assertEqual(recorded, done)

    def refused(self, pid, words, command="attach"):
        result = self.memlens(command, pid, code=125)
        self.assertIn(words, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def test_what_cannot_be_attached_to_is_told_in_one_line(self):
        gone = subprocess.Popen(["true"])
        gone.wait()
        self.refused(gone.pid, "there is no process")
        self.refused(gone.pid, "there is no process", "detach")
        plain = subprocess.Popen(["sleep", "60"])
        self.addCleanup(plain.wait)
        self.addCleanup(plain.kill)
        self.refused(plain.pid, "is not being recorded", "detach")
        zombie = subprocess.Popen(["true"])
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        self.refused(zombie.pid, "has ended")
        zombie.wait()
        if os.geteuid() != 0:
            self.refused(1, "another user's")

    def test_what_is_recorded_already_is_not_attached_to(self):
        program = self.steps()
        attached, _ = self.attach(program)
        self.refused(program.pid, "already being recorded")
        attached.send_signal(signal.SIGINT)
        finish(attached)

    def test_detach_ends_a_run_and_its_program_goes_on(self):
        capture = os.path.join(self.directory, "run.mlens")
        run = self.start([MEMLENS, "run", "-q", "-o", capture, "--", BUSY, "1"],
                         stderr=subprocess.PIPE)
        self.addCleanup(run.stderr.close)
        with open(f"/proc/{run.pid}/task/{run.pid}/children", encoding="ascii") as file:
            child = int(file.read().split()[0])
        self.memlens("detach", child)
        run.wait(60)
        self.ask_busy(run, "ping", "pong")
        self.assertTrue(os.path.exists(capture))

    def ask_busy(self, program, word, answer):
        program.stdin.write(word.encode() + b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline().decode(), answer + "\n")

    def test_an_image_may_preload_it_by_hand(self):
        program = self.start([BUSY, "1"], env=dormant_environment())
        with open(f"/proc/{program.pid}/task/{program.pid}/comm", encoding="ascii") as file:
            self.assertEqual(file.read(), "busy\n")
        self.assertEqual(len(os.listdir(f"/proc/{program.pid}/task")), 2)  # its own two
        self.assertEqual(os.listdir(self.directory), [])
        self.ask_busy(program, "ping", "pong")


if __name__ == "__main__":
    main()
