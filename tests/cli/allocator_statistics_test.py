"""What the program's allocators hold free, as they say themselves, and what is made of it."""
import functools
import inspect
import json
import os
import re
import subprocess
import sys
import time

from memlens_testing import MEMLENS, MemlensTest, main

MEGABYTE = 1_000_000


def libraries(name):
    """The paths of a library of the system's."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], stdout=subprocess.PIPE, text=True).stdout
    return [line.split(" => ")[1].strip() for line in listed.splitlines() if line.strip().startswith(name)]


def asked_in_time(test):
    """For what says that the allocators were asked: the collector may be late with its leave on a
    machine under load, and then nothing is said."""
    @functools.wraps(test)
    def tried_again(self):
        for _ in range(4):
            try:
                return test(self)
            except (AssertionError, KeyError):
                pass
        return test(self)
    return tried_again


def children_of(parent):
    """Number and state of each. (Its source is a part of a program below.)"""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append((int(pid), fields[0]))
    return found


class StatisticsTest(MemlensTest):
    def said(self, capture, allocator, moment=None):
        return [each for each in self.summary(capture)["allocator_statistics"]
                if each["allocator"] == allocator and moment in (None, each["moment"])]

    def explained(self, capture):
        report = json.loads(self.memlens("explain", capture, "--json").stdout)
        return {finding["kind"]: finding for finding in report["findings"]}


class Statistics(StatisticsTest):
    def fragmented(self, *arguments, options=()):
        """What memlens and the program itself say of its heap at the mark."""
        for _ in range(20):  # under load, leave to ask may come too late
            capture = self.record([self.program("fragmented_heap"), *map(str, arguments)], *options)
            own = json.loads(self.recording.stdout.splitlines()[-1])
            marks = self.said(capture, "glibc", "mark")
            if marks:
                break
        self.assertEqual(len(marks), 1)
        # What is called in the copy is no call of the program's that nobody recorded.
        self.assertEqual(self.summary(capture)["skipped_calls"], 0)
        return marks[0], own

    def check_against_malloc(self, said, own, trim_error):
        self.assertEqual(said["held_bytes"], own["held"])
        self.assertEqual(said["mapped_bytes"], own["mapped"])
        self.assertLess(abs(said["free_bytes"] - own["free"]), 10_000)
        self.assertLess(abs(said["releasable_bytes"] - own["trimmed"]), trim_error, (said, own))

    def test_small_pieces_between_live_blocks_are_free_and_cannot_be_given_back(self):
        said, own = self.fragmented(1000, 2)
        self.assertGreater(own["free"], 25 * MEGABYTE)
        self.check_against_malloc(said, own, MEGABYTE)

    def test_all_but_the_last_block_can_be_given_back(self):
        said, own = self.fragmented(1000, 0)
        self.assertGreater(own["trimmed"], 55 * MEGABYTE)
        self.check_against_malloc(said, own, MEGABYTE)

    def test_of_pieces_of_some_pages_those_pages_can_be_given_back(self):
        for bytes, every in ((10_000, 2), (10_000, 3), (50_000, 2), (100_000, 4)):
            said, own = self.fragmented(bytes, every)
            self.check_against_malloc(said, own, 3 * MEGABYTE)

    def test_sampled_recordings_say_the_same(self):
        said, own = self.fragmented(10_000, 2, options=("--sample", "512K"))
        self.check_against_malloc(said, own, 3 * MEGABYTE)

    @asked_in_time
    def test_arenas_of_threads_are_told_apart(self):
        said, own = self.fragmented(1000, 0, 8)
        self.assertEqual(said["held_bytes"], own["held"])
        self.assertLess(abs(said["free_bytes"] - own["free"]), 10_000)
        self.assertGreaterEqual(said["arenas"], 9)
        self.assertGreater(said["thread_arenas_held_bytes"], 55 * MEGABYTE)
        self.assertGreater(said["thread_arenas_free_bytes"], 50 * MEGABYTE)
        self.assertLess(said["thread_arenas_held_bytes"], own["held"])

    @asked_in_time
    def test_they_are_told_while_the_program_grows_and_at_its_end(self):
        capture = self.record([sys.executable, "-c", """
import time
kept = []
for _ in range(60):
    kept.append([bytearray(1000) for _ in range(1000)])
    time.sleep(0.02)
"""], "--no-native")
        running = self.said(capture, "glibc", "running")
        self.assertGreater(len(running), 2)
        self.assertGreater(running[-1]["held_bytes"], running[0]["held_bytes"] + 10 * MEGABYTE)
        self.assertEqual(len(self.said(capture, "glibc", "end")), 1)
        arenas = self.said(capture, "pymalloc", "running")[-1]
        self.assertGreater(arenas["arenas"], 0)
        self.assertLess(arenas["free_bytes"], arenas["held_bytes"])
        summary = self.memlens("summary", capture).stdout
        self.assertRegex(summary, r"malloc held +\d+\.\d MB, of which [\d.]+ [kM]B free")
        at_peak = {each["allocator"]: each for each in self.summary(capture)["allocators_at_peak"]}
        self.assertGreater(at_peak["glibc"]["held_bytes"], 30 * MEGABYTE)

    def test_what_is_said_when_the_peak_is_over_is_not_said_of_it(self):
        script = self.script("""
import ctypes, time
kept = [bytearray(5000) for _ in range(8000)]
time.sleep(0.35)
for _ in range(3):
    more = [bytearray(5000) for _ in range(8000)]
    del more
    time.sleep(0.05)
    ctypes.CDLL(None).memlens_mark(b"half")
    time.sleep(0.1)
""")
        for _ in range(5):  # under load, leave to ask may come too late
            capture = self.record([sys.executable, script], "--no-native")
            marks = self.said(capture, "glibc", "mark")
            if marks:
                break
        self.assertLess(marks[0]["held_bytes"] - marks[0]["free_bytes"], 50 * MEGABYTE)
        for each in self.summary(capture)["allocators_at_peak"]:
            if each["allocator"] == "glibc":
                self.assertGreater(each["held_bytes"] - each["free_bytes"], 60 * MEGABYTE)

    @asked_in_time
    def test_marks_from_outside_are_moments_too(self):
        capture = self.record([sys.executable, "-c", """
import time
kept = [bytearray(1000) for _ in range(50000)]
for _ in range(150):
    kept[0] = [bytearray(1000) for _ in range(100)]
    time.sleep(0.02)
"""], "--no-native", "--mark-every", "1.5")
        marks = self.summary(capture)["marks"]
        times = [each["seconds"] for each in self.said(capture, "glibc", "running")]
        answered = [mark for mark in marks
                    if any(0 <= time - mark["seconds"] < 0.2 for time in times)]
        self.assertTrue(answered, (marks, times))

    @asked_in_time
    def test_children_that_live_shortly_are_not_asked_while_they_run(self):
        capture = self.record([sys.executable, "-c", """
import os, time
kept = [bytearray(1000) for _ in range(50000)]
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        kept.append(bytearray(5000))
        raise SystemExit
    os.waitpid(pid, 0)
time.sleep(0.1)
kept.append(bytearray(5000))
"""], "--no-native")
        summary = self.summary(capture)
        self.assertEqual(summary["processes"], 4)
        running = [each["pid"] for each in summary["allocator_statistics"] if each["moment"] == "running"]
        self.assertEqual(len(set(running)), 1)

    def test_small_processes_are_not_asked(self):
        capture = self.record([sys.executable, "-c", "import ctypes; ctypes.CDLL(None).memlens_mark(b'here')"],
                              "--no-native")
        self.assertEqual(self.summary(capture)["allocator_statistics"], [])

    def with_allocator(self, library, allocator):
        paths = libraries(library)
        if not paths:
            self.skipTest(f"{library} is not installed")
        environment = dict(os.environ, LD_PRELOAD=paths[0])
        script = ("import ctypes; kept = [bytearray(5000) for _ in range(10000)]; "
                  "ctypes.CDLL(None).memlens_mark(b'full'); del kept[::2]; "
                  "ctypes.CDLL(None).memlens_mark(b'half')")
        # The collector may be late with its leave at one of two marks in a row.
        for _ in range(5):
            capture = self.record([sys.executable, "-c", script], "--no-native", env=environment)
            self.assertEqual(self.said(capture, "glibc"), [])
            said = self.said(capture, allocator, "mark")
            if len(said) == 2:
                return said
        self.fail(f"of two marks {len(said)} were told")

    def test_jemalloc_says_what_it_holds(self):
        full, half = self.with_allocator("libjemalloc.so.2", "jemalloc")
        self.assertGreater(full["held_bytes"], 50 * MEGABYTE)
        self.assertLess(full["free_bytes"], 20 * MEGABYTE)
        self.assertGreater(half["free_bytes"], full["free_bytes"] + 20 * MEGABYTE)

    def test_mimalloc_says_what_it_has_committed(self):
        full = self.with_allocator("libmimalloc.so.2", "mimalloc")[0]
        self.assertGreater(full["held_bytes"], 50 * MEGABYTE)
        self.assertIsNone(full["free_bytes"])


class Danger(MemlensTest):
    """Where asking would harm the program, or a copy of it would show: it ends as it does without memlens."""

    def ends_as_ever(self, case, expected):
        command = [self.program("asked_in_danger"), case]
        plain = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=self.time_limit_seconds)
        self.assertEqual((plain.returncode, plain.stdout), expected)
        capture = self.record(command, code=plain.returncode)
        self.assertEqual(self.recording.stdout, plain.stdout)
        # A machine under load may give nobody leave in time: then nothing was tried.
        for _ in range(5):
            dump = self.memlens("dump", capture).stdout
            if "in a copy of the process" in dump or " allocator_statistics " in dump:
                return dump
            capture = self.record(command, code=plain.returncode)
        self.fail("its allocators were never asked")

    def test_handlers_that_exit_within_malloc(self):
        for case in ("handler", "handler-resets", "handler-once", "handler-of-faults"):
            with self.subTest(case):
                self.ends_as_ever(case, (7, ""))

    def test_a_thread_that_stands_still_within_malloc_for_good(self):
        self.ends_as_ever("parked", (3, ""))

    def test_a_heap_that_was_written_over(self):
        for case in ("freed-count", "small-list", "endless-list"):
            with self.subTest(case):
                self.ends_as_ever(case, (0, "done\n"))
                self.assertNotRegex(self.recording.stderr, "corrupted|malloc_info|Aborted")

    def test_threads_that_are_stopped_anywhere(self):
        self.ends_as_ever("stop-the-world", (0, "done\n"))

    def test_who_waits_for_all_children_sees_its_own_alone(self):
        self.ends_as_ever("children", (0, "0 strangers, 0 errors, 1 signals\n"))
        self.ends_as_ever("children-ignored", (0, "0 strangers, 0 errors, 0 signals\n"))

    def test_copies_that_nobody_may_wait_for_yet_are_waited_for_later(self):
        script = self.script("import os\n" + inspect.getsource(children_of) + """
import ctypes, signal, time
def zombies():
    return sum(state == "Z" for _, state in children_of(os.getpid()))
kept = [bytearray(1000) for _ in range(60000)]
mark = ctypes.CDLL(None).memlens_mark
most = 0
for _ in range(6):
    time.sleep(0.5)
    mark(b"copied")
    os.kill(os.getppid(), signal.SIGSTOP)  # the collector: it gives no leave
    time.sleep(0.05)
    mark(b"no leave")
    most = max(most, zombies())
    os.kill(os.getppid(), signal.SIGCONT)
for _ in range(1000):
    left = zombies()
    if left == 0:
        break
    bytearray(1000)
    time.sleep(0.02)
print(most, left)
""")
        for _ in range(5):  # under load, leave for a copy may come too late
            self.record([sys.executable, script], "--no-native")
            most, left = map(int, self.recording.stdout.split())
            self.assertEqual(left, 0)
            self.assertLessEqual(most, 1)
            if most == 1:
                return
        self.fail("it was never copied")

    def test_a_program_that_becomes_another(self):
        self.ends_as_ever("exec", (0, "another\n"))

    def test_a_child_of_vfork_that_locks_itself_in(self):
        self.ends_as_ever("vfork", (0, "done\n"))

    @asked_in_time
    def test_a_handler_that_jumps_out_of_a_mark(self):
        dump = self.ends_as_ever("jump", (0, "done\n"))
        marked, *_ = (float(seconds) for seconds in re.findall(r" mark thread=.* seconds=([0-9.]+)", dump))
        asked = [float(seconds) for seconds in re.findall(r" allocator_statistics seconds=([0-9.]+)", dump)]
        self.assertGreater(asked[-1], marked + 0.05)

    def test_where_a_copy_cannot_be_kept_from_harm_it_is_made_once(self):
        if os.geteuid() != 0:
            self.skipTest("this user may not change its root")
        empty = os.path.join(self.directory, "empty")
        os.mkdir(empty)
        for _ in range(5):  # under load, leave for a copy may come too late
            capture = self.record([sys.executable, self.script("""
import os, sys, time
kept = [bytearray(1000) for _ in range(1000)]
os.chroot(sys.argv[1])  # no /proc
for _ in range(60):
    kept.append([bytearray(1000) for _ in range(1000)])
    time.sleep(0.02)
"""), empty], "--no-native")
            dump = self.memlens("dump", capture).stdout
            if "a copy of the process could not be kept" in dump:
                return
        self.fail("it was never copied")

    def test_a_handler_in_a_mark_that_locks_the_program_in(self):
        self.ends_as_ever("lock-in", (0, "done\n"))

    def test_a_variable_with_the_name_of_a_function(self):
        self.record([self.program("names_mallctl")])

    def test_whose_next_child_is_the_first_of_a_namespace(self):
        if os.geteuid() != 0:
            self.skipTest("this user may not have namespaces")
        self.record([sys.executable, self.script("""
import ctypes, os, time
kept = [bytearray(1000) for _ in range(40000)]
assert ctypes.CDLL(None).unshare(0x20000000) == 0
for _ in range(60):
    kept.append([bytearray(1000) for _ in range(1000)])
    time.sleep(0.01)
if os.fork() == 0:
    print("first" if os.getpid() == 1 else os.getpid(), flush=True)
    os._exit(0)
os.wait()
""")], "--no-native")
        self.assertEqual(self.recording.stdout, "first\n")

    @asked_in_time
    def test_a_program_that_filters_its_system_calls_is_not_asked(self):
        # Any fork, clone or wait kills it. By way of libc or not.
        for how in ("libc.prctl", "functools.partial(libc.syscall, ctypes.c_long(prctl_number))"):
            with self.subTest(how):
                self.filters_its_system_calls(how)

    def filters_its_system_calls(self, prctl):
        script = self.script("""
import ctypes, functools, os, struct, time
machine = os.uname().machine
prctl_number = {"x86_64": 157, "aarch64": 167}[machine]
kept = [bytearray(1000) for _ in range(50000)]
libc = ctypes.CDLL(None, use_errno=True)
KILL, ALLOW = 0x80000000, 0x7fff0000
def instruction(code, jt, jf, k):
    return struct.pack("HBBI", code, jt, jf, k)
numbers = {"x86_64": (56, 57, 58, 435, 61), "aarch64": (220, 435, 260)}[machine]
filter = instruction(0x20, 0, 0, 0)
for index, number in enumerate(numbers):
    filter += instruction(0x15, len(numbers) - index, 0, number)
filter += instruction(6, 0, 0, ALLOW) + instruction(6, 0, 0, KILL)
buffer = ctypes.create_string_buffer(filter, len(filter))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(filter) // 8, ctypes.addressof(buffer)))
prctl = PRCTL
arguments = lambda *numbers: map(ctypes.c_ulong, numbers)
assert prctl(*arguments(38, 1, 0, 0, 0)) == 0
assert prctl(*arguments(22, 2, ctypes.addressof(program), 0, 0)) == 0
for _ in range(90):
    kept.append([bytearray(1000) for _ in range(1000)])
    time.sleep(0.01)
print("done")
""".replace("PRCTL", prctl))
        capture = self.record([sys.executable, script], "--no-native")
        self.assertEqual(self.recording.stdout, "done\n")
        dump = self.memlens("dump", capture).stdout
        self.assertIn("it filters its system calls", dump)


class Attached(MemlensTest):
    @asked_in_time
    def test_a_program_is_left_without_a_copy_of_itself(self):
        program = subprocess.Popen([sys.executable, self.script("""
import time
kept = [bytearray(1000) for _ in range(40000)]
print("there", flush=True)
while True:
    kept[0] = [bytearray(100) for _ in range(1000)]
    time.sleep(0.002)
""")], stdout=subprocess.PIPE, text=True)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        program.stdout.readline()
        asked = 0
        for turn in range(20):
            capture = os.path.join(self.directory, f"turn-{turn}.mlens")
            attached = subprocess.Popen([MEMLENS, "attach", str(program.pid), "-o", capture], text=True,
                                        stderr=subprocess.PIPE)
            for line in attached.stderr:
                if "glibc older than" in line:
                    attached.communicate()
                    self.skipTest("attach wants a newer glibc")
                if "attached to" in line:
                    break
            time.sleep(0.5)
            self.memlens("mark", str(program.pid), "now")
            self.memlens("detach", str(program.pid))
            attached.stderr.read()
            attached.stderr.close()
            self.assertEqual(attached.wait(), 0)
            self.assertEqual(children_of(program.pid), [], turn)
            asked += " allocator_statistics " in self.memlens("dump", capture).stdout
            if asked == 4:
                return
        self.fail("it was never copied")


class Explained(StatisticsTest):
    def kept(self, script, *options, native="--no-native"):
        return self.explained(self.record([sys.executable, self.script(script)], native, *options))

    KEPT = """
import time
blocks = [bytearray(%d) for _ in range(%d)]
stays = %s
%s
for _ in range(90):
    time.sleep(0.02)
    bytearray(100)
"""

    @asked_in_time
    def test_what_malloc_would_give_back_is_said_with_its_number(self):
        finding = self.kept(self.KEPT % (50_000, 1600, "bytearray(60_000)", "blocks.clear()"))
        text = finding["fragmentation"]["text"]
        self.assertEqual(finding["fragmentation"]["certainty"], "measured")
        self.assertRegex(text, r"malloc held [\d.]+ MB, of which [\d.]+ MB was free\. "
                               r"malloc_trim\(0\) would have given back about (7\d|8\d)\.\d MB\.")

    @asked_in_time
    def test_what_lies_between_live_blocks_would_not_be_given_back(self):
        finding = self.kept(self.KEPT % (1000, 90_000, "blocks[::3]", "blocks.clear()"))
        self.assertIn("in pieces between live blocks: malloc_trim(0) would have given back only",
                      finding["fragmentation"]["text"])

    @asked_in_time
    def test_arenas_of_small_objects_that_are_kept_by_a_few_are_named(self):
        finding = self.kept("""
import time
objects = [(i, i + 1) for i in range(10**6)]
stays = objects[::500]
del objects
for _ in range(250):
    time.sleep(0.02)
    bytearray(10000)
""")
        self.assertRegex(finding["fragmentation"]["text"],
                         r"CPython's \d+ arenas for small objects held [\d.]+ MB, of which [\d.]+ MB was in no")


if __name__ == "__main__":
    main()
