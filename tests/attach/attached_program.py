"""What holds of every program that is attached to, however the library came to it."""
import subprocess

from attach_cycles import finish, summary

STEPS = """
import os, subprocess, sys
def before(): return [bytearray(4000) for _ in range(100)]
def during(): return [bytearray(3000) for _ in range(100)]
kept = before()
print("ready", flush=True)
for line in sys.stdin:
    word = line.strip()
    if word == "during": kept = during()
    if word == "fork":
        pid = os.fork()
        if pid == 0:
            kept = during()
            os._exit(0)
        os.waitpid(pid, 0)
    if word == "exec":
        subprocess.run(["true"], check=True)
    if word == "end": sys.exit(7)
    print(word, flush=True)
"""


class AttachedProgram:
    """Mixed into a MemlensTest that says how the program is started (`steps`) and attached to."""

    def start(self, command, **options):
        options.setdefault("stderr", subprocess.PIPE)
        program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   cwd=self.directory, **options)
        self.addCleanup(program.wait)
        for stream in (program.stdin, program.stdout, program.stderr):
            self.addCleanup(stream.close)
        self.addCleanup(program.kill)
        line = program.stdout.readline()
        self.assertTrue(line.startswith(b"ready"), line)
        program.first_line = line.decode().strip()
        return program

    def ask(self, program, word):
        program.stdin.write(word.encode() + b"\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline().decode(), word + "\n")

    def end(self, program):
        program.stdin.write(b"end\n")
        program.stdin.flush()
        self.assertEqual(program.wait(60), 7)
        self.assertEqual(program.stderr.read(), b"")

    def made(self, capture):
        return {f["function"] for s in self.stacks("allocations", capture)["stacks"]
                for f in s["frames"]}

    def test_a_program_is_recorded_from_attach_to_detach_and_again(self):
        program = self.steps()
        for _ in range(3):
            attached, capture = self.attach(program)
            self.ask(program, "during")
            self.memlens("detach", program.pid)
            finish(attached)
            self.assertTrue(summary(capture)["complete"])
            self.assertIn("during", self.made(capture))
            self.assertNotIn("before", self.made(capture))
        self.end(program)

    def test_the_end_of_the_program_ends_it(self):
        program = self.steps()
        attached, capture = self.attach(program)
        self.ask(program, "during")
        self.end(program)
        finish(attached)
        self.assertTrue(summary(capture)["complete"])
        self.assertIn("during", self.made(capture))

    def test_the_death_of_the_collector_leaves_the_program_to_another(self):
        program = self.steps()
        attached, _ = self.attach(program)
        attached.kill()
        attached.wait()
        self.ask(program, "during")
        attached, capture = self.attach(program)
        self.ask(program, "during")
        self.memlens("detach", program.pid)
        finish(attached)
        self.assertIn("during", self.made(capture))
