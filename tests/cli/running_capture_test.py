"""Reports on a recording that is still under way, and on one that was cut: what there is so far."""
import os
import signal
import subprocess

from memlens_testing import MEMLENS, MemlensTest, main

WAITING = """
import sys
def kept_blocks(): return [bytearray(10_000) for _ in range(100)]
kept = kept_blocks()
print("ready", flush=True)
sys.stdin.readline()
kept += kept_blocks()
print("done", flush=True)
sys.stdin.readline()
"""

# One block for each line that is read; then it waits on another thread, which has a chunk too.
NATIVE = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static void* kept[100];
__attribute__((noinline)) void* make_block(size_t size) { return malloc(size); }
static void* other(void* unused) { kept[50] = make_block(777); return unused; }
int main(void) {
  pthread_t thread;
  char line[100];
  pthread_create(&thread, NULL, other, NULL);
  pthread_join(thread, NULL);
  for (int i = 0; i < 50; ++i) {
    kept[i] = make_block(1000);
    puts("ready");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL) break;
  }
  return 0;
}
"""


class RunningCaptures(MemlensTest):
    def start(self, command, *options):
        self.capture = os.path.join(self.directory, "running.mlens")
        program = subprocess.Popen([MEMLENS, "run", "-q", "-o", self.capture, *options, *command],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   cwd=self.directory)
        self.addCleanup(program.wait)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.kill)
        self.assertEqual(program.stdout.readline(), "ready\n")
        return program

    def native_program(self):
        compiler = self.need("gcc")
        source = self.script(NATIVE, "waiting.c")
        program = os.path.join(self.directory, "waiting")
        subprocess.run([compiler, "-g", "-O1", "-pthread", source, "-o", program], check=True)
        return program

    def test_a_summary_says_so_far_and_has_everything_there_is(self):
        program = self.start([self.script(WAITING)])
        first = self.summary(self.capture)
        self.assertTrue(first["running"])
        self.assertFalse(first["complete"])
        self.assertGreaterEqual(first["leaked_bytes"], 1_000_000)
        text = self.memlens("summary", self.capture)
        self.assertIn("still running", text.stdout)
        self.assertIn("Still allocated so far", text.stdout)
        self.assertIn("still under way", text.stderr)
        for output in (text.stdout, text.stderr):
            self.assertNotIn("ended early", output)
            self.assertNotIn("at the end", output)
        program.stdin.write("\n")
        program.stdin.flush()
        program.stdout.readline()
        second = self.summary(self.capture)
        self.assertGreaterEqual(second["leaked_bytes"] - first["leaked_bytes"], 1_000_000)
        program.communicate("\n", timeout=60)
        last = self.summary(self.capture)
        self.assertTrue(last["complete"])
        self.assertFalse(last["running"])
        self.assertGreaterEqual(last["allocations"], second["allocations"])

    def test_a_slow_program_of_two_threads_is_read_to_its_last_block_with_names(self):
        program = self.start([self.native_program()])
        for blocks in range(1, 4):
            report = self.stacks("leaks", self.capture)
            made = [s for s in report["stacks"]
                    if any(f["function"] == "make_block" for f in s["frames"])]
            self.assertEqual(sum(s["bytes"] for s in made), 1000 * blocks + 777)
            frame = next(f for f in made[0]["frames"] if f["function"] == "make_block")
            self.assertTrue(frame["file"].endswith("waiting.c"))
            program.stdin.write("\n")
            program.stdin.flush()
            program.stdout.readline()
        program.communicate("", timeout=60)
        whole = self.stacks("leaks", self.capture)
        made = sum(s["bytes"] for s in whole["stacks"]
                   if any(f["function"] == "make_block" for f in s["frames"]))
        self.assertEqual(made, 4777)

    def test_every_report_reads_it(self):
        self.start([self.script(WAITING)])
        page = os.path.join(self.directory, "so_far.html")
        for command in (["peak"], ["leaks"], ["temporary"], ["allocations"], ["tree"], ["growing"],
                        ["explain"], ["explain", "--markdown"], ["lines"], ["dump"],
                        ["check", "--max-peak", "1GB"], ["flamegraph", "-o", page],
                        ["export", "--format", "folded", "-o", page + ".folded"]):
            result = self.memlens(command[0], self.capture, *command[1:])
            self.assertIn("still under way", result.stderr, command)
            self.assertNotIn("ended early", result.stdout, command)
        text = self.memlens("diff", self.capture, self.capture)
        self.assertIn("still under way", text.stderr)

    def test_one_whose_collector_was_killed_is_no_longer_under_way(self):
        program = self.start([self.script(WAITING)])
        self.summary(self.capture)
        with open(f"/proc/{program.pid}/task/{program.pid}/children", encoding="ascii") as file:
            child = int(file.read().split()[0])
        program.send_signal(signal.SIGKILL)
        program.wait()
        os.kill(child, signal.SIGKILL)
        summary = self.summary(self.capture)
        self.assertFalse(summary["running"])
        self.assertFalse(summary["complete"])
        # What somebody had asked for is in the file, although no chunk was ever finished.
        self.assertGreaterEqual(summary["leaked_bytes"], 1_000_000)
        self.assertIn("ended early", self.memlens("summary", self.capture).stdout)


if __name__ == "__main__":
    main()
