"""Native and Python frames woven together: Python's are what the interpreter says, loops are gone."""
import json
import os
import sys

from memlens_testing import MemlensTest, main

PYTHON_STACKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python_stacks")
sys.path.insert(0, PYTHON_STACKS)
from python_versions import blocks, interpreters  # noqa: E402

PROGRAM = os.path.join(PYTHON_STACKS, "stacks_program.py")
BASE = 700_000  # the program's
MAX_BLOCKS = 10_000


class HybridStacks(MemlensTest):
    time_limit_seconds = 300

    def recorded(self, capture, *native):
        stacks = {}
        for block in blocks(capture, BASE, BASE + 16 * MAX_BLOCKS, *native):
            number, extra = divmod(block["bytes"] - BASE, 16)
            if extra <= 1:  # the terminator of a bytearray
                stacks.setdefault(number, []).append(block["frames"])
        return stacks

    def check(self, name, path, *options):
        expected_file = os.path.join(self.directory, "expected.jsonl")
        capture = self.record([path, PROGRAM, expected_file, "1"], "--native", *options)
        with open(expected_file, encoding="utf-8") as lines:
            expected = {number: [[file, line or 0, function] for file, line, function in frames]
                        for number, frames in map(json.loads, lines)}
        woven = self.recorded(capture, "native")
        wrong = []
        loops = []
        native_frames = 0
        for number, want in expected.items():
            for stack in woven.get(number, [[]]):
                native = [frame for frame in stack if frame[0] == "[native]"]
                native_frames += len(native)
                if [f for f in stack if f[0] not in ("[native]", "[label]")] != want or not native:
                    wrong.append((number, want[:6], stack[:40]))
                # What Python knows nothing of (a thread without a state) stays as it is.
                # Loops outside of those that run Python's frames are another interpreter's.
                python = [i for i, f in enumerate(stack) if f[0] not in ("[native]", "[label]")]
                if want and any("_PyEval_EvalFrameDefault" in f[2] for f in stack[:python[-1]]):
                    loops.append((number, stack))
                if want and name.startswith(("3.8", "3.9", "3.10")):
                    # Each Python frame was entered from C.
                    for inner, outer in zip(stack, stack[1:]):
                        if "[native]" not in (inner[0], outer[0]):
                            wrong.append((number, "adjacent", inner, outer))
        self.assertGreater(len(expected), 1000)
        self.assertEqual(wrong[:3], [], f"{len(wrong)} of {len(expected)} stacks are wrong")
        self.assertEqual(loops[:2], [], "evaluation loops shown as native frames")
        print(f"{path}: {len(expected)} stacks, {native_frames} native frames, 0 wrong", flush=True)

    def test_python_frames_are_in_place_of_the_evaluation_loops(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                self.check(name, path)

    def test_also_at_the_malloc_level(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                self.check(name, path, "--no-python-allocators")


if __name__ == "__main__":
    main()
