"""memlens.Tracker on every CPython there is: in programs that were started dormant, and in programs
that know nothing of memlens until they import the package."""
import os
import subprocess
import sys

from memlens_testing import BUILD, MEMLENS, SOURCE, MemlensTest, main, pythons

sys.path.insert(0, os.path.join(SOURCE, "python"))
os.environ["MEMLENS_PROGRAM"] = MEMLENS

import memlens  # noqa: E402

ENCLOSED = """
import os, memlens
def work():
    return [bytearray(10_000) for _ in range(300)]
before = work()
with memlens.Tracker("first.mlens") as tracker:
    during = work()
    assert memlens.enabled()
    assert len(os.listdir("/proc/self/task")) == 1  # no thread of ours: os.fork() warns of threads
    try:
        memlens.Tracker("nested.mlens").start()
    except memlens.MemlensError as error:
        print(error)
    memlens.mark("in the middle")
assert not memlens.enabled()
del before
try:
    with memlens.Tracker("second.mlens"):
        again = work()
        raise ValueError
except ValueError:
    pass
after = work()
"""

# What four threads do between start and stop is known to the byte.
LEDGER = """
import sys, threading, memlens
ROUNDS = 2000
def work():
    for number in range(ROUNDS):
        bytearray(5000)
def busy():
    while not done.is_set():
        bytearray(3000)
done = threading.Event()
others = [threading.Thread(target=busy, daemon=True) for _ in range(2)]
for thread in others: thread.start()
for number in range(5):
    with memlens.Tracker("ledger%d.mlens" % number):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
done.set()
for thread in others: thread.join()
print(4 * ROUNDS, 4 * ROUNDS * sys.getsizeof(bytearray(5000)))
"""

FAMILY = """
import os, subprocess, sys, memlens
def work(): return [bytearray(10_000) for _ in range(300)]
tracker = memlens.Tracker("family.mlens").start()
child = os.fork()
if child == 0:
    kept = work()
    tracker.stop()           # its parent's: nothing happens
    assert memlens.enabled()
    os._exit(5)
assert os.waitpid(child, 0)[1] >> 8 == 5
subprocess.run([sys.executable, "-c", "kept = [bytearray(20_000) for _ in range(200)]"], check=True)
tracker.stop()
child = os.fork()
if child == 0:               # not recorded, and records itself
    with memlens.Tracker("child.mlens"):
        kept = work()
    os._exit(6)
assert os.waitpid(child, 0)[1] >> 8 == 6
"""

HOOKS = """
import ctypes, memlens
def place(): return ctypes.cast(ctypes.CDLL("libc.so.6")["malloc"], ctypes.c_void_p).value
before = place()
for number in range(3):
    with memlens.Tracker("hooks.mlens" if number == 0 else None):
        assert place() != before
    assert place() == before
"""


# One that is started again, from another folder; and names.
AGAIN = """
import os, subprocess, sys, memlens
tracker = memlens.Tracker("again.mlens")
with tracker:
    os.mkdir("other")
    os.chdir("other")
print(tracker.read().complete)
os.chdir("..")
try:
    with memlens.Tracker("again.mlens"): pass
except memlens.MemlensError as error:
    print(error)
with memlens.Tracker("again.mlens", force=True, follow=False):
    kept = bytes(2_000_000)
    subprocess.run([sys.executable, "-c", "pass"])
temporary = memlens.Tracker()
paths = []
for _ in range(2):
    with temporary:
        paths.append(temporary.path)
print(len(set(paths)), all(map(os.path.exists, paths)))
with memlens.Tracker("of-%p.mlens", sample="64Ki") as named:
    more = bytes(3_000_000)
print(named.path == os.path.abspath("of-%d.mlens" % os.getpid()), named.read().summary["sample_bytes"])
try:
    with memlens.Tracker("of-%p.mlens"): pass
except memlens.MemlensError as error:
    print(str(error).replace(str(os.getpid()), "PID"))
os.chdir("other")
with named:
    print(named.path == os.path.abspath("of-%d.mlens" % os.getpid()))
os.unlink(named.path)
"""


# Functions profiled before there is a recording, one of them a generator; and a look in between.
PROFILED = """
import sys, memlens
@memlens.profile
def load(size):
    return bytearray(size)
@memlens.profile
def steps():
    for size in (1, 2):
        yield bytes(size * 1_000_000)
for size in (4_000_000, 5_000_000):
    with memlens.Tracker():
        kept = load(size)
        before = memlens.snapshot()
        more = load(1_000_000), list(steps())
        for change in memlens.snapshot().compare_to(before, "lineno")[:2]:
            print(change)
    print("that was", size, file=sys.stderr)
"""


# A library with an allocator of its own, which is a heap in each of two recordings.
BUNDLED = """
import ctypes, sys, memlens
library = ctypes.CDLL(sys.argv[1])
library.bundled_churn.argtypes = [ctypes.c_int]
def place(): return ctypes.cast(library["bundled_mi_malloc"], ctypes.c_void_p).value
before = place()
for number in range(2):
    library.bundled_churn(100)
    with memlens.Tracker("bundled%d.mlens" % number):
        assert place() != before
        library.bundled_churn(500)
    assert place() == before
"""


class Tracker(MemlensTest):
    def run_script(self, python, text, dormant=False, arguments=(), **options):
        start = [MEMLENS, "run", "--dormant", "--"] if dormant else []
        done = subprocess.run([*start, python, self.script(text), *arguments], cwd=self.directory,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=240,
                              env={**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python")},
                              **options)
        self.listed = done.stderr
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def in_each(self, check):
        for name, python in pythons().items():
            if name in ("3.6", "3.7"):  # the package is for 3.8 and later
                continue
            for dormant in (True, False):
                with self.subTest(name, dormant=dormant):
                    check(python, dormant)
                    for file in os.listdir(self.directory):
                        if file.endswith(".mlens"):
                            os.unlink(os.path.join(self.directory, file))

    def capture(self, name):
        capture = memlens.read(os.path.join(self.directory, name))
        self.assertTrue(capture.complete)
        return capture

    def test_what_it_encloses_is_recorded(self):
        def check(python, dormant):
            said = self.run_script(python, ENCLOSED, dormant)
            self.assertEqual(said, "a Tracker is running already, into first.mlens\n")
            for name in ("first.mlens", "second.mlens"):
                left = sum(record.bytes for record in self.capture(name).leaks()
                           if record.frames[0].line == 4)
                # 300 buffers of 10,001 bytes, and the objects that hold them.
                self.assertTrue(3_000_300 <= left < 3_040_000, left)
            self.assertEqual([m.name for m in self.capture("first.mlens").marks],
                             ["in the middle"])
        self.in_each(check)

    def test_what_threads_did_between_start_and_stop_is_what_is_recorded(self):
        def check(python, dormant):
            count, size = map(int, self.run_script(python, LEDGER, dormant).split())
            for number in range(5):
                found = [r for r in self.capture("ledger%d.mlens" % number).allocations()
                         if r.frames[0].line == 6]
                buffers = sum(r.bytes for r in found)
                self.assertGreaterEqual(buffers, size)
                # Beside the buffers, the loop's own numbers.
                self.assertLess(buffers - size, count * 40)
        self.in_each(check)

    def test_children_are_recorded_with_it(self):
        def check(python, dormant):
            self.run_script(python, FAMILY, dormant)
            left = {}
            for record in self.capture("family.mlens").leaks():
                left[record.pid] = left.get(record.pid, 0) + record.bytes
            self.assertEqual(len(left), 3, left)
            self.assertEqual(sum(bytes > 3_000_000 for bytes in left.values()), 2, left)
            left = sum(record.bytes for record in self.capture("child.mlens").leaks())
            self.assertGreater(left, 3_000_000)
        self.in_each(check)

    def test_the_hooks_are_taken_out_again(self):
        def check(python, dormant):
            if not dormant:
                self.run_script(python, HOOKS)
        self.in_each(check)

    def test_it_can_be_started_again_and_from_anywhere_and_overwrites_when_that_is_asked_for(self):
        def check(python, dormant):
            if dormant:
                return
            self.assertEqual(self.run_script(python, AGAIN), "True\nno recording: again.mlens exists; give "
                             "another name, or force=True to overwrite it\n2 True\nTrue 65536\n"
                             "no recording: of-PID.mlens exists; give another name, or force=True to overwrite "
                             "it\nTrue\n")
            summary = self.capture("again.mlens").summary
            self.assertGreaterEqual(summary["leaked_bytes"], 2_000_000)
            self.assertEqual(summary["processes"], 1)
            os.rmdir(os.path.join(self.directory, "other"))
        self.in_each(check)

    def test_a_process_without_stderr_is_recorded(self):
        # One that was started without, and one that closed its own and has a table to say.
        for name, closed, before in (("none", "2>&-", "pass"), ("closed", "", "sys.stderr.close()")):
            self.run_script("/bin/sh", "exec %s -c 'import sys, memlens\n@memlens.profile\ndef made(): return "
                                       "bytes(2_000_000)\n%s\nwith memlens.Tracker(\"%s.mlens\"):\n"
                                       "    kept = made()\nprint(3)' %s\n"
                                       % (sys.executable, before, name, closed))
            self.assertGreaterEqual(self.capture(name + ".mlens").summary["leaked_bytes"], 2_000_000)

    def test_each_has_the_tables_of_profiled_functions_and_snapshots(self):
        def check(python, dormant):
            said, listed = self.run_script(python, PROFILED, dormant), self.listed
            parts = listed.split("that was")
            self.assertEqual(len(parts), 3, listed)
            for part, size in zip(parts, (4, 5)):
                self.assertEqual(part.count("def load(size):"), 1, listed)
                self.assertEqual(part.count("def steps():"), 1, listed)
                self.assertRegex(part, r"(?m)^ +5 .* %d\.00 MB +\d+ +return bytearray" % (size + 1))
                self.assertRegex(part, r"(?m)^ +9 .* 3\.00 MB +\d+ +yield bytes")
            self.assertEqual(parts[2], " 5000000\n")
            self.assertRegex(said, r"^(.*:9: size=2930 KiB \(\+2930 KiB\), .*\n"
                                   r".*:5: size=\d+ KiB \(\+977 KiB\), .*\n){2}$")
        self.in_each(check)

    def test_a_library_s_own_allocator_is_recorded_again_and_left_alone_between(self):
        library = os.path.join(BUILD, "tests", "programs", "libraries",
                               "libmemlens_test_relro_allocator.so")
        def check(python, dormant):
            if dormant:
                return
            self.run_script(python, BUNDLED, arguments=[library])
            made = [{name: heap["allocations"] for name, heap
                     in self.capture("bundled%d.mlens" % number).summary["by_allocator"].items()
                     if "relro_allocator" in name} for number in range(2)]
            self.assertEqual(made[0], made[1])
            self.assertEqual(len(made[0]), 1, made)
            self.assertGreaterEqual(sum(made[0].values()), 500)
        self.in_each(check)


if __name__ == "__main__":
    main()
