"""Threads that allocate at the same time: what each did is what is recorded, to the block."""
import collections
import json
import os

from memlens_testing import MemlensTest, main
from python_versions import blocks, interpreters

THREADS = 8
ROUNDS = 1500
FIRST_SIZE = 9_000  # thread t makes objects of FIRST_SIZE + 16 t bytes

# Each thread runs a function of its own, keeps some blocks, drops some, and hands most to the next
# thread, which frees them: so addresses are freed in one thread and given out in another. All the
# while code is made, run and freed in every thread, whose addresses are used again as well.
PROGRAM = f"""
import json, queue, sys, threading
header = sys.getsizeof(b"")
kept = [[] for _ in range({THREADS})]
queues = [queue.SimpleQueue() for _ in range({THREADS})]
start = threading.Barrier({THREADS})

SOURCE = '''
def work_%d(me, mine, following, keep, make, count):
    start.wait()
    for i in range(count):
        block = make(me, i)
        if i %% 10 == 0:
            keep.append(block)
        elif i %% 3:
            following.put(block)
        del block
        while not mine.empty():
            mine.get()
        if i %% 5 == 0:
            exec(compile("def f_%d_%%d(): return bytes(me)\\\\nf_%d_%%d()" %% (i %% 7, i %% 7), "made-%d", "exec"),
                 {{"me": {FIRST_SIZE} - header + 8 + 16 * me}})
'''

def make(me, i):
    return bytes({FIRST_SIZE} - header + 16 * me)

threads = []
for t in range({THREADS}):
    space = dict(start=start, header=header)
    exec(compile(SOURCE % (t, t, t, t), "work", "exec"), space)
    threads.append(threading.Thread(target=space["work_%d" % t], args=(
        t, queues[t], queues[(t + 1) % {THREADS}], kept[t], make, {ROUNDS})))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for each in queues:
    while not each.empty():
        each.get()
print(json.dumps([len(each) for each in kept]))
"""


class Parallel(MemlensTest):
    time_limit_seconds = 300

    def check(self, path, *options):
        script = self.script(PROGRAM)
        capture = self.record([path, script], *options)
        kept = json.loads(self.recording.stdout)
        summary = self.summary(capture)
        self.assertIs(summary["complete"], True)
        for nothing in ("lost_events", "skipped_calls", "refused_definitions"):
            self.assertEqual(summary[nothing], 0, nothing)
        self.assertEqual(summary["left_out"], [])
        made = collections.Counter()
        for block in blocks(capture, FIRST_SIZE, FIRST_SIZE + 16 * THREADS - 1):
            thread, evaluated = divmod(block["bytes"] - FIRST_SIZE, 16)
            frames = [frame[2] for frame in block["frames"] if frame[0] in ("work", script) or
                      frame[0].startswith("made-")]
            made[thread, evaluated] += 1
            if evaluated:
                self.assertRegex(frames[0], f"^f_{thread}_[0-6]$")
                self.assertEqual(frames[1:3], ["<module>", f"work_{thread}"])
            else:
                self.assertEqual(frames[:2], ["make", f"work_{thread}"])
        self.assertEqual(made, {(t, e): ROUNDS // (5 if e else 1)
                                for t in range(THREADS) for e in (0, 8)})
        left = collections.Counter()
        for stack in self.stacks("leaks", capture)["stacks"]:
            names = [frame["function"] for frame in stack["frames"] if frame["kind"] == "python"]
            if "make" in names:
                left[names[names.index("make") + 1]] += stack["bytes"]
        # The interpreter keeps a few words of its own per thread under the same stacks.
        self.assertEqual({name: of_bytes // (FIRST_SIZE + 16 * int(name.rsplit("_", 1)[1]))
                          for name, of_bytes in left.items()},
                         {f"work_{t}": n for t, n in enumerate(kept)})

    def test_every_block_of_eight_threads_is_recorded_once_under_its_own_stack(self):
        for name, path in interpreters():
            for options in ((), ("--native",)):
                with self.subTest(python=name, options=options):
                    self.check(path, *options)


if __name__ == "__main__":
    main()
