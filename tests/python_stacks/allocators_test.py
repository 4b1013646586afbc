"""Python's allocators: what is asked of them is what is recorded, whatever sits above or below us."""
import os
import re
import subprocess

from memlens_testing import MemlensTest, main
from python_versions import TOOLS, blocks, interpreters, reaches_malloc, without_padding



def bytes_header(python):
    """Of a bytes object, its terminator included: free-threaded builds have larger ones."""
    return int(subprocess.run([python, "-c", "import sys; print(sys.getsizeof(b''))"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout)


MODES = {
    "plain": ([], {}),
    "-X dev": (["-X", "dev"], {}),
    "-X tracemalloc": (["-X", "tracemalloc"], {}),
    "-X dev -X tracemalloc": (["-X", "dev", "-X", "tracemalloc=5"], {}),
}
GIL_ALLOCATORS = ("malloc", "debug", "pymalloc", "malloc_debug", "pymalloc_debug")
MIMALLOC = ("mimalloc", "mimalloc_debug")  # from 3.13 on


def modes(name):
    """Ways to start the interpreter, as (name, options, environment)."""
    allocators = MIMALLOC if int(re.match(r"3\.(\d+)", name).group(1)) >= 13 else ()
    allocators += GIL_ALLOCATORS if reaches_malloc(name) else ("debug",)
    yield from ((mode, *how) for mode, how in MODES.items())
    yield from ((f"PYTHONMALLOC={which}", [], {"PYTHONMALLOC": which}) for which in allocators)


OBJECTS = """
def make():
    return [bytes(100_000 + i) for i in range(50)]

kept = make()
for i in range(20):
    bytes(101_000 + i)
"""

FUNCTIONS = """
import ctypes
api = ctypes.pythonapi
for name in ("PyMem_Malloc", "PyMem_Calloc", "PyMem_Realloc", "PyObject_Malloc", "PyObject_Calloc",
             "PyObject_Realloc"):
    getattr(api, name).restype = ctypes.c_void_p
size, pointer = ctypes.c_size_t, ctypes.c_void_p
for prefix in ("PyMem_", "PyObject_"):
    malloc, calloc, realloc, free = (getattr(api, prefix + name)
                                     for name in ("Malloc", "Calloc", "Realloc", "Free"))
    a = malloc(size(300_001))
    b = calloc(size(3), size(100_001))
    c = realloc(pointer(a), size(300_005))
    assert realloc(pointer(c), size(2 ** 62)) is None
    d = realloc(None, size(300_007))
    assert malloc(size(0))
    free(pointer(b))
    free(pointer(None))
    free(pointer(d))
"""

EVALUATED = """
import gc
gc.disable()
sources = [compile("\\n" * k + "bytes(200_000 + %d)" % k, "evaluated-%d" % k, "exec")
           for k in range(3)]
for i in range(3000):
    k = i % 3
    exec("\\n" * k + "f = lambda: bytes(201_000 + %d)\\nf()" % k)
    eval(compile("\\n" * k + "bytes(202_000 + %d)" % k, "fresh-%d" % k, "eval"))
"""

FORKED = """
import os
import re

def in_parent():
    return bytes(400_000)

def in_child():
    return bytes(400_001)

def work():
    in_parent()
    child = os.fork()
    if child == 0:
        in_child()
        exec(compile("bytes(400_002)", "made-in-the-child", "exec"))
        os._exit(0)
    os.waitpid(child, 0)
    in_parent()

work()
"""

SHUTDOWN = """
cache = {}

def fill():
    for i in range(100):
        block = bytes(50_000)
        cache[i] = block

fill()
gone = [bytes(60_000) for _ in range(100)]
del gone
"""


class Allocators(MemlensTest):
    def run_in_each_mode(self, text, check):
        script = self.script(text)
        for name, path in interpreters():
            for mode, flags, environment in modes(name):
                with self.subTest(python=name, mode=mode):
                    capture = self.record([path, *flags, script],
                                          env=dict(os.environ, **environment))
                    check(capture, script, path)

    def test_objects_have_the_size_asked_for_and_are_counted_once(self):
        def check(capture, script, path):
            recorded = blocks(capture, 100_000, 101_500)
            sizes = [block["bytes"] - bytes_header(path) for block in recorded]
            self.assertEqual(sizes, [100_000 + i for i in range(50)] +
                             [101_000 + i for i in range(20)])
            self.assertEqual({block["kind"].split("_")[0] for block in recorded}, {"PyObject"})
            self.assertEqual(recorded[0]["frames"][-1][1], 5)
            self.assertEqual(recorded[60]["frames"], [[script, 7, "<module>"]])

        self.run_in_each_mode(OBJECTS, check)

    def test_the_interpreter_counts_its_blocks_as_without_memlens(self):
        script = self.script("import sys\n"
                             "before = sys.getallocatedblocks()\n"
                             "kept = [object() for _ in range(10_000)]\n"
                             "more = sys.getallocatedblocks() - before\n"
                             "del kept\n"
                             "print(before > 1000, more, sys.getallocatedblocks() - before)\n")
        for name, path in interpreters():
            with self.subTest(python=name):
                plain = subprocess.run([path, script], capture_output=True, text=True, check=True)
                self.record([path, script])
                self.assertEqual(self.recording.stdout, plain.stdout)

    def test_each_function_is_recorded_as_itself(self):
        def check(capture, script, path):
            recorded = [(b["kind"], b["bytes"]) for b in blocks(capture, 300_000, 300_010)]
            expected = []
            for prefix in ("PyMem_", "PyObject_"):
                expected += [(prefix + "Malloc", 300_001), (prefix + "Calloc", 300_003),
                             (prefix + "Realloc", 300_005), (prefix + "Realloc", 300_007)]
            self.assertEqual(recorded, expected)
            # What a failed realloc left alive, and nobody freed.
            left = [s["bytes"] for s in self.stacks("leaks", capture)["stacks"]
                    if s["frames"][0]["file"] == script and s["bytes"] >= 300_000]
            self.assertEqual(len(left), 1)
            self.assertTrue(600_010 <= left[0] < 610_000, left)  # with ctypes' own on that line

        self.run_in_each_mode(FUNCTIONS, check)

    def test_without_the_allocators_blocks_are_malloc_s_with_the_same_stacks(self):
        script = self.script(OBJECTS)
        for name, path in interpreters():
            if not reaches_malloc(name):
                continue
            with self.subTest(python=name):
                capture = self.record([path, script], "--no-python-allocators",
                                      env=dict(os.environ, **without_padding(name)))
                header = bytes_header(path)
                recorded = blocks(capture, 100_000 + header, 100_049 + header)
                self.assertEqual(len(recorded), 50)
                self.assertLessEqual({block["kind"] for block in recorded}, {"malloc", "calloc"})
                self.assertEqual({block["frames"][-1][1] for block in recorded}, {5})
                self.assertEqual(self.summary(capture)["by_allocator"]["python"]["allocations"], 0)

    def test_code_evaluated_in_a_loop_is_defined_once_and_has_its_own_lines(self):
        script = self.script(EVALUATED)
        for name, path in interpreters():
            with self.subTest(python=name):
                capture = self.record([path, script])
                recorded = blocks(capture, 200_000, 203_000)
                self.assertEqual(len(recorded), 6000)
                header = bytes_header(path)
                for block in recorded:
                    size = block["bytes"] - header
                    file, line, function = block["frames"][0]
                    k = size % 1000
                    if size < 202_000:
                        self.assertEqual((file, line, function), ("<string>", k + 1, "<lambda>"))
                        self.assertEqual(block["frames"][1], ["<string>", k + 2, "<module>"])
                    else:
                        self.assertEqual((file, line, function), (f"fresh-{k}", k + 1, "<module>"))
                dump = self.memlens("dump", capture).stdout
                codes = [line for line in dump.splitlines() if '"<string>"' in line]
                self.assertLess(len(codes), 50)
                self.assertLess(dump.count(" code "), 3000)

    def test_a_forked_child_has_its_own_stacks(self):
        script = self.script(FORKED)
        for name, path in interpreters():
            with self.subTest(python=name):
                capture = self.record([path, script])
                header = bytes_header(path)
                recorded = {(b["process"] > 1, b["bytes"] - header, b["frames"][0][0] == script,
                             tuple(f[2] for f in b["frames"]))
                            for b in blocks(capture, 400_000, 400_100)}
                self.assertEqual(recorded, {
                    (False, 400_000, True, ("in_parent", "work", "<module>")),
                    (True, 400_001, True, ("in_child", "work", "<module>")),
                    (True, 400_002, False, ("<module>", "work", "<module>"))})

    def test_what_lived_until_the_interpreter_s_shutdown_is_still_allocated(self):
        script = self.script(SHUTDOWN)
        for name, path in interpreters():
            header = bytes_header(path)
            for options in ([], ["--no-python-allocators"])[:2 if reaches_malloc(name) else 1]:
                with self.subTest(python=name, options=options):
                    capture = self.record([path, script], *options,
                                          env=dict(os.environ, **without_padding(name)))
                    left = [(s["blocks"], s["bytes"], s["frames"][0]["function"],
                             s["frames"][0]["line"])
                            for s in self.stacks("leaks", capture)["stacks"]
                            if s["bytes"] > 1_000_000 and s["frames"][0]["file"] == script]
                    self.assertEqual(left, [(100, 100 * (50_000 + header), "fill", 6)])

    def test_an_interpreter_opened_later_for_its_opener_alone_is_recorded(self):
        ask = ("import sysconfig as s, os; print(os.path.join(s.get_config_var('LIBDIR'),"
               " s.get_config_var('INSTSONAME') or ''))")
        tried = 0
        for name, path in interpreters():
            library = subprocess.run([path, "-c", ask], stdout=subprocess.PIPE,
                                     text=True, check=True).stdout.strip()
            if ".so" not in library or not os.path.exists(library):
                continue
            tried += 1
            with self.subTest(python=name):
                home = os.path.dirname(os.path.dirname(path))
                text = "def f():\n  return [bytes(500_000) for _ in range(5)]\nkept = f()"
                # Again and again: it may be found at any moment of its being loaded.
                for _ in range(4):
                    capture = self.record(
                        [os.path.join(TOOLS, "embeds_python"), library, "2", text],
                        env=dict(os.environ, PYTHONHOME=home))
                    recorded = blocks(capture, 500_000, 500_100)
                    self.assertEqual(len(recorded), 10)
                    for block in recorded:
                        self.assertEqual(block["frames"][-2:],
                                         [["<string>", 2, "f"], ["<string>", 3, "<module>"]])
                    # What the first interpreter's shutdown freed is gone: the program went on.
                    left = [stack for stack in self.stacks("leaks", capture)["stacks"]
                            if stack["bytes"] > 500_000
                            and any(frame["function"] == "f" for frame in stack["frames"])]
                    self.assertEqual(sum(stack["blocks"] for stack in left), 5)
        if not tried:
            self.skipTest("no interpreter here is a shared library")


if __name__ == "__main__":
    main()
