"""Greenlets: each allocation has the stack of the greenlet that made it, as the interpreter tells it."""
import json
import os
import subprocess
import unittest

from memlens_testing import MemlensTest, main
from python_versions import blocks, interpreters

FIRST_SIZE = 50_000

# Sixty greenlets of three depths take turns, from within their innermost function and from one in
# between. Each prints where the interpreter says it is when it allocates.
PROGRAM = f"""
import json, sys, traceback
from greenlet import getcurrent, greenlet

GREENLETS, ROUNDS = 60, 20
header = sys.getsizeof(b"")
told = []
kept = []
size = {FIRST_SIZE}

def allocate():
    global size
    kept.append(bytes(size - header)); frames = traceback.extract_stack()
    told.append([size, [[frame.lineno, frame.name] for frame in reversed(frames)]])
    size += 16

def inner(me):
    for i in range(ROUNDS):
        allocate()
        greenlets[(me + 7) % GREENLETS].switch() if i % 2 else main.switch()
        allocate()

def middle(me):
    allocate()
    main.switch()
    inner(me)

def outer(me):
    middle(me)

main = getcurrent()
greenlets = [greenlet((inner, middle, outer)[me % 3]) for me in range(GREENLETS)]
for turn in range(4 * ROUNDS):
    for me, each in enumerate(greenlets):
        if not each.dead:
            each.switch(*([me] if turn == 0 and not each else []))
    allocate()
with open(sys.argv[1], "w") as file:
    json.dump(told, file)
"""


def has_greenlet(python):
    return subprocess.run([python, "-c", "import greenlet"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


class Greenlets(MemlensTest):
    def test_each_allocation_has_the_stack_of_its_greenlet(self):
        script = self.script(PROGRAM)
        found = [(name, path) for name, path in interpreters() if has_greenlet(path)]
        if not found:
            raise unittest.SkipTest("no greenlet package (python3-greenlet) for this version")
        for name, path in found:
            for options in ([], ["--native"]):
                with self.subTest(python=name, options=options):
                    truth = os.path.join(self.directory, "truth.json")
                    capture = self.record([path, script, truth], *options)
                    with open(truth) as file:
                        told = json.load(file)
                    self.assertGreater(len(told), 2000)
                    recorded = {block["bytes"]: [frame[1:] for frame in block["frames"]]
                                for block in blocks(capture, FIRST_SIZE, FIRST_SIZE + 16 * len(told))
                                if block["bytes"] % 16 == FIRST_SIZE % 16}
                    wrong = [(size, frames, recorded.get(size)) for size, frames in told
                             if recorded.get(size) != frames]
                    self.assertEqual(wrong[:3], [], f"{len(wrong)} of {len(told)}")


if __name__ == "__main__":
    main()
