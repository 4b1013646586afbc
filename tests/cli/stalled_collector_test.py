"""A collector that stands still for longer than a lock is waited for: nothing is lost, no stack lacks frames."""
import os
import signal
import subprocess
import time

from memlens_testing import MEMLENS, MemlensTest, functions, main

STANDS_STILL_SECONDS = 5  # a lock of the recorder's is given up on after 2
ALLOCATIONS = 30_000
THREADS = 4


class StalledCollector(MemlensTest):
    def test_whoever_waits_for_a_chunk_holds_no_lock_that_others_need(self):
        capture = os.path.join(self.directory, "stalled.mlens")
        program = self.program("many_stacks")
        with subprocess.Popen(
                [MEMLENS, "run", "-q", "--native", "-o", capture, "--", program, str(ALLOCATIONS)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            self.assertEqual(process.stdout.readline(), "ready\n")
            os.kill(process.pid, signal.SIGSTOP)
            process.stdin.write("go\n")
            process.stdin.flush()
            # Meanwhile the pool runs full of definitions and events.
            time.sleep(STANDS_STILL_SECONDS)
            os.kill(process.pid, signal.SIGCONT)
            self.assertEqual(process.communicate(timeout=200)[0], "done\n")
            self.assertEqual(process.returncode, 0)
        summary = self.summary(capture)
        self.assertEqual(summary["refused_definitions"], 0)
        self.assertEqual(summary["lost_events"], 0)
        stacks = self.stacks("allocations", capture)["stacks"]
        whole = [stack for stack in stacks
                 if functions(stack)[0] == "descend" and "work" in functions(stack)]
        self.assertEqual(sum(stack["blocks"] for stack in whole), THREADS * ALLOCATIONS)


if __name__ == "__main__":
    main()
