"""Who is killed loses nothing: the program, and the collector."""
import os
import random
import signal
import struct
import subprocess
import time

from memlens_testing import MEMLENS, MemlensTest, main

ROUNDS = int(os.environ.get("MEMLENS_KILL_ROUNDS", "25"))
STRIDE_BYTES = 64


def counters(path, threads):
    with open(path, "rb") as file:
        content = file.read()
    return [struct.unpack_from("<Q", content, i * STRIDE_BYTES)[0] for i in range(threads)]


def child_of(pid, deadline_seconds=10):
    """The only child of `pid`, once it is there."""
    end = time.monotonic() + deadline_seconds
    while time.monotonic() < end:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = file.read().split()
        if children:
            return int(children[0])
        time.sleep(0.002)
    raise AssertionError("no child appeared")


class Killed(MemlensTest):
    def start(self, threads, *limit, name="k"):
        self.counts = os.path.join(self.directory, name + ".counts")
        self.capture = os.path.join(self.directory, name + ".mlens")
        program = self.program("count_allocations")
        return subprocess.Popen([MEMLENS, "run", "-o", self.capture, "--no-native", program,
                                 self.counts, str(threads), *map(str, limit)],
                                stderr=subprocess.PIPE, text=True)

    def wait_for_counts(self):
        while not os.path.exists(self.counts) or os.path.getsize(self.counts) == 0 or \
                counters(self.counts, 1)[0] == 0:
            time.sleep(0.001)

    def test_a_killed_program_loses_no_event(self):
        for i in range(ROUNDS):
            threads = random.choice((1, 1, 2, 4))
            memlens = self.start(threads, name=f"k{i}")
            self.wait_for_counts()
            time.sleep(random.random() ** 3 * 0.2)
            os.kill(child_of(memlens.pid), signal.SIGKILL)
            _, errors = memlens.communicate(timeout=60)
            self.assertEqual(memlens.returncode, 128 + signal.SIGKILL, errors)
            counted = sum(counters(self.counts, threads))
            summary = self.summary(self.capture)
            self.assertTrue(summary["complete"])
            self.assertGreaterEqual(summary["allocations"], counted)
            # Each thread may have been between its malloc and its counter; a thread costs a few.
            self.assertLessEqual(summary["allocations"], counted + 10 * threads + 20)
            os.remove(self.capture)

    def test_when_the_collector_is_killed_the_program_runs_on_with_one_line(self):
        for delay in (0.0, 0.05, 0.15):
            limit = 10000000
            memlens = self.start(2, limit, name=f"c{delay}")
            self.wait_for_counts()
            time.sleep(delay)
            memlens.kill()
            # The pipe ends when the program does.
            _, errors = memlens.communicate(timeout=60)
            self.assertEqual(counters(self.counts, 2), [limit, limit])
            lines = errors.splitlines()
            self.assertEqual(len(lines), 1, errors)
            self.assertIn("memlens: recording stopped", lines[0])
            # What reached the file is a capture that ended early.
            summary = self.summary(self.capture)
            self.assertFalse(summary["complete"])


if __name__ == "__main__":
    main()
