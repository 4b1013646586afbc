"""Native and Python frames woven together: Python's are what the interpreter says, loops are gone."""
import bisect
import json
import os
import re
import shutil
import subprocess
import sys

from memlens_testing import MemlensTest, main

PYTHON_STACKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python_stacks")
sys.path.insert(0, PYTHON_STACKS)
from python_versions import blocks, interpreters, reaches_malloc, without_padding  # noqa: E402

PROGRAM = os.path.join(PYTHON_STACKS, "stacks_program.py")
BASE = 700_000  # the program's
MAX_BLOCKS = 10_000
# Its errors are raised in the loop's cold part.
SMALL_PROGRAM = f"""
import functools
def block(n): return bytearray({BASE} + 16 * n)
class Raises:
    def __init__(self, n): self.n = n
    def __eq__(self, other): return block(self.n)
    def __del__(self): block(self.n + 100)
    def __getattr__(self, name): block(self.n + 200); raise AttributeError(name)
def through_c(n): return list(map(block, [n]))
def compare(a, b): block(400); return 0
def unbound(n):
    keep = Raises(n)
    return not_there
Raises(1) == 2
through_c(300)
sorted([1, 2], key=functools.cmp_to_key(compare))
try: Raises(2).missing
except AttributeError: pass
try: unbound(3)
except NameError: pass
try:
    a, b = Raises(4)
except TypeError: pass
for statement in ("a, b = 1, 2, 3", "[*5]", "unbound(*5)", "unbound(**5)", "raise ValueError from 3",
                  "import not_there", "with 5: pass", "del not_there",
                  "def f():\\n x\\n x = 1\\nf()"):
    try: exec(statement)
    except Exception: pass
"""


def shared_library(python, by_path=False):
    """The libpython that an interpreter is linked with; None when it is whole in itself. `by_path`: also
    one that it names by its path, which no LD_LIBRARY_PATH replaces."""
    listed = subprocess.run(["ldd", python], stdout=subprocess.PIPE, text=True, check=False).stdout
    found = re.search(r"libpython3\S* => (/\S+)", listed)
    if found is None and by_path:
        found = re.search(r"^\s*(/\S*/libpython3\S*)", listed, re.M)
    return found and os.path.realpath(found.group(1))


def loop_ranges(binary):
    """The evaluation loop in a file, and the functions it jumps into the middle of."""
    start = int(re.search(r"(\w+) \w _PyEval_EvalFrameDefault$",
                          run_tool("nm", "-D", binary), re.M).group(1), 16)
    functions = sorted((int(a, 16), int(b, 16)) for a, b in re.findall(
        r"FDE cie=.* pc=(\w+)\.\.(\w+)", run_tool("readelf", "--debug-dump=frames", binary)))

    def function_at(address):
        index = bisect.bisect(functions, (address, 1 << 62)) - 1
        found = functions[index] if index >= 0 else (0, 0)
        return found if found[0] <= address < found[1] else None

    loop = function_at(start)
    code = run_tool("objdump", "-d", "--no-show-raw-insn", f"--start-address={loop[0]}",
                    f"--stop-address={loop[1]}", binary)
    targets = {int(target, 16) for target in re.findall(r"\tj\w+ +([0-9a-f]+) ", code)}
    others = {function_at(target) for target in targets
              if not loop[0] <= target < loop[1] and (function_at(target) or (target,))[0] != target}
    return [loop, *(other for other in others if other)]


def run_tool(*command):
    """What it prints; of Debian's 3.15, readelf prints everything and ends with 1."""
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    if not printed:
        raise AssertionError(" ".join(command) + " printed nothing")
    return printed


class HybridStacks(MemlensTest):
    time_limit_seconds = 300

    def recorded(self, capture, *native):
        stacks = {}
        for block in blocks(capture, BASE, BASE + 16 * MAX_BLOCKS, *native):
            number, extra = divmod(block["bytes"] - BASE, 16)
            if extra <= 1:  # the terminator of a bytearray
                stacks.setdefault(number, []).append(block["frames"])
        return stacks

    def check(self, name, path, *options, seed=1, kinds=""):
        """How many stacks were right; one that was not is a failure."""
        expected_file = os.path.join(self.directory, f"expected-{seed}.jsonl")
        capture = self.record([path, PROGRAM, expected_file, str(seed)], "--native", *options,
                              env=dict(os.environ, **without_padding(name)))
        with open(expected_file, encoding="utf-8") as lines:
            expected = {number: [[file, line or 0, function] for file, line, function in frames]
                        for number, frames in map(json.loads, lines)
                        if not frames or frames[0][2].startswith(kinds)}
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
        self.assertGreater(len(expected), 200 if kinds else 1000)
        self.assertEqual(wrong[:3], [], f"{len(wrong)} of {len(expected)} stacks are wrong")
        self.assertEqual(loops[:2], [], "evaluation loops shown as native frames")
        print(f"{path}: {len(expected)} stacks, {native_frames} native frames, 0 wrong", flush=True)
        return len(expected)

    def test_python_frames_are_in_place_of_the_evaluation_loops(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                self.check(name, path)

    def test_a_stripped_interpreter_gives_the_same_stacks(self):
        """Nothing but its exported names is left of the loop and its cold part."""
        for name, path in interpreters():
            library = shared_library(path)
            if library is None or shutil.which("strip") is None:
                continue
            with self.subTest(python=name):
                stripped = os.path.join(self.directory, "stripped-" + name.replace("/", "-"))
                os.mkdir(stripped)
                copy = os.path.join(stripped, os.path.basename(library))
                subprocess.run(["strip", "-o", copy, library], check=True)
                shapes = []
                for directory in (os.path.dirname(library), stripped):
                    environment = dict(os.environ, LD_LIBRARY_PATH=directory, PYTHONHASHSEED="0")
                    capture = self.record([path, "-c", SMALL_PROGRAM], "--native", env=environment)
                    shapes.append(self.shapes(capture, copy if directory == stripped else library))
                self.assertGreater(len(shapes[0]), 3)
                self.assertEqual(shapes[0], shapes[1])

    def test_no_native_frame_lies_in_the_loop_or_its_cold_part(self):
        for name, path in interpreters():
            if shutil.which("readelf") is None or shutil.which("nm") is None:
                self.skipTest("needs readelf and nm")
            with self.subTest(python=name):
                binary = shared_library(path, by_path=True) or os.path.realpath(path)
                ranges = loop_ranges(binary)
                capture = self.record([path, "-c", SMALL_PROGRAM], "--native")
                dump = self.memlens("dump", capture).stdout
                bias = int(re.search(r" load_bias=0x([0-9a-f]+) .*path=\"[^\"]*/" +
                                     re.escape(os.path.basename(binary)) + '"',
                                     dump).group(1), 16)
                nodes = {0: (0, 0, False)}  # parent, address, has Python's frames further out
                for kind, node, parent, rest in re.findall(
                        r" (native|python|label)_node id=(\d+) parent=(\d+) (.*)", dump):
                    outer = nodes[int(parent)]
                    address = re.match("address=0x(.*)", rest)
                    nodes[int(node)] = (int(parent), int(address[1], 16) - bias if address else 0,
                                        outer[2] or kind == "python")
                addresses = [address for _, address, python in nodes.values() if address and python]
                self.assertGreater(len(addresses), 1000)
                # Loops of before Python knows the thread have none of its frames further out.
                inside = [hex(a) for a in addresses if any(s <= a < e for s, e in ranges)]
                print(f"{binary}: loop and cold part of {[e - s for s, e in ranges]} bytes, "
                      f"{len(addresses)} nodes", flush=True)
                self.assertEqual(inside[:5], [])

    def shapes(self, capture, library):
        """Of each block of the small program: its Python frames, or "native", in their order. Inlined
        functions are seen with symbols only, so a run of native frames counts as one."""
        self.assertIn(library, self.memlens("dump", capture).stdout)
        shapes = {}
        for block in blocks(capture, BASE, BASE + 16 * MAX_BLOCKS, "native"):
            shape = [frame[2] if frame[0] != "[native]" else "native" for frame in block["frames"]]
            shapes[block["bytes"]] = [frame for i, frame in enumerate(shape)
                                      if frame != "native" or i == 0 or shape[i - 1] != "native"]
        return shapes

    def test_native_frames_stand_between_the_python_frames_that_they_connect(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                capture = self.record([path, "-c", SMALL_PROGRAM], "--native")
                shapes = self.shapes(capture, "")
                through_c = next(shape for shape in shapes.values() if "through_c" in shape)
                compared = next(shape for shape in shapes.values() if "compare" in shape)
                for shape, inner, outer in ((through_c, "block", "through_c"),
                                            (compared, "compare", "<module>")):
                    at = shape.index(inner)
                    self.assertEqual(shape[at:at + 3], [inner, "native", outer], shape)
                    self.assertEqual((shape[0], shape[-1]), ("native", "native"), shape)
                    # Loops that were entered from C are native frames no more.
                    self.assertEqual(shape[-2], "<module>", shape)

    def test_trampolines_for_profilers_show_nothing_between_the_frames(self):
        tried = 0
        for name, path in interpreters():
            if int(re.match(r"3\.([0-9]+)", name)[1]) < 12 or subprocess.run(
                    [path, "-X", "perf", "-c", ""], stderr=subprocess.DEVNULL, check=False).returncode:
                continue
            tried += 1
            with self.subTest(python=name):
                script = self.script(SMALL_PROGRAM + "import os; os.unlink(f'/tmp/perf-{os.getpid()}.map')\n")
                capture = self.record([path, "-X", "perf", script], "--native")
                shapes = self.shapes(capture, "")
                self.assertGreater(len(shapes), 7)
                for stack in shapes.values():
                    # They begin and end in the interpreter, and none of its frames is left out.
                    self.assertEqual((stack[0], stack[-1]), ("native", "native"), stack)
                    self.assertEqual([f for f in stack if f.startswith("[")], [], stack)
                through_c = next(shape for shape in shapes.values() if "through_c" in shape)
                self.assertEqual([f for f in through_c if f != "native"],
                                 ["block", "through_c", "<module>"])
                outermost = [block["frames"][-1][2]
                             for block in blocks(capture, BASE, BASE + 16 * MAX_BLOCKS, "native")]
                self.assertEqual({name for name in outermost if name != "_start"}, set())
        if tried == 0:
            self.skipTest("no interpreter has -X perf")

    def test_also_at_the_malloc_level(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                self.check(name, path, "--no-python-allocators",
                           kinds="" if reaches_malloc(name) else "malloc_")


if __name__ == "__main__":
    main()
