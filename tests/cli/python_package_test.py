"""The Python package, from the source tree: what it returns is what the program says."""
import linecache
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from random import Random

from memlens_testing import MEMLENS, SOURCE, VIEWS, MemlensTest, main

sys.path.insert(0, os.path.join(SOURCE, "python"))
os.environ["MEMLENS_PROGRAM"] = MEMLENS

import memlens  # noqa: E402

PROGRAM = """
kept = []

def keep(count):
    kept.append(bytearray(1_000_000 * count))

def churn():
    for _ in range(1000):
        bytearray(5000)

keep({count})
churn()
"""


class PythonPackage(MemlensTest):
    def capture(self, count=2):
        return self.record(["python3", "-S", self.script(PROGRAM.format(count=count))])

    def test_summary_and_views_are_those_of_the_program(self):
        path = self.capture()
        capture = memlens.read(path)
        self.assertEqual(capture.summary, self.summary(path))
        self.assertTrue(capture.complete)
        for view in VIEWS:
            with self.subTest(view):
                report = self.stacks(view, path)
                records = getattr(capture, view)()
                self.assertEqual([(r.bytes, r.blocks, r.pid, r.thread) for r in records],
                                 [(s["bytes"], s["blocks"], s["pid"], s["thread"])
                                  for s in report["stacks"]])
                self.assertEqual([f.function for f in records[0].frames],
                                 [f["function"] for f in report["stacks"][0]["frames"]])
        leak = capture.leaks(limit=1)[0]
        self.assertEqual((leak.frames[0].function, leak.frames[0].line, leak.frames[0].kind),
                         ("keep", 5, "python"))

    def test_options_select(self):
        capture = memlens.read(self.capture())
        everything = capture.allocations()
        middle = capture.summary["duration_seconds"] / 2
        first = capture.allocations(to_seconds=middle)
        second = capture.allocations(from_seconds=middle)
        self.assertEqual(sum(r.blocks for r in first + second), sum(r.blocks for r in everything))
        self.assertEqual(len(capture.peak(limit=2)), 2)
        with self.assertRaises(ValueError):
            capture.stacks("everything")

    def test_diff_has_changes_and_totals(self):
        old, new = memlens.read(self.capture(2)), memlens.read(self.capture(5))
        diff = old.diff(new, view="leaks")
        self.assertEqual(diff[0].delta_bytes, 3_000_000)
        self.assertEqual(diff[0].frames[0].function, "keep")
        self.assertEqual(sum(c.delta_bytes for c in diff), diff.delta_bytes)
        self.assertEqual((diff.old_bytes, diff.new_bytes),
                         (old.summary["leaked_bytes"], new.summary["leaked_bytes"]))
        self.assertEqual(old.diff(new.path)[0], old.diff(new)[0])

    def test_a_view_is_iterated_as_it_is_made_and_need_not_be_read_to_its_end(self):
        capture = memlens.read(self.capture())
        records = list(capture.iterate("allocations"))
        self.assertEqual(records, capture.allocations())
        self.assertEqual(sum(r.bytes for r in records), capture.summary["allocated_bytes"])
        iterator = capture.iterate("peak")
        self.assertEqual(next(iterator), capture.peak(limit=1)[0])
        iterator.close()  # the program that made it ends
        with self.assertRaisesRegex(memlens.MemlensError, "no process 99999999"):
            next(capture.iterate("peak", pid=99999999))
        with self.assertRaisesRegex(ValueError, "no view 'top'"):
            capture.iterate("top")

    def test_on_demand_the_stubs_say_what_the_package_has_and_users_are_checked_strictly(self):
        python = os.environ.get("MEMLENS_TYPES_PYTHON")
        if not python:
            self.skipTest("MEMLENS_TYPES_PYTHON names no Python with mypy and pytest")
        path = os.path.join(SOURCE, "python")
        environment = dict(os.environ, PYTHONPATH=path, MYPYPATH=path)
        settings = self.script("[mypy]\nignore_missing_imports = True\n", "mypy.ini")
        good = self.script("import memlens\n\ndef peak(path: str) -> int:\n"
                           "    records = memlens.read(path).iterate('peak', native=True)\n"
                           "    return sum(record.bytes for record in records)\n", "good.py")
        bad = self.script("import memlens\nmemlens.read(3)\n"
                          "text: str = memlens.read('a').peak()[0].bytes\n", "bad.py")
        for command, code in ((["mypy.stubtest", "memlens", "--mypy-config-file", settings], 0),
                              (["mypy", "--strict", good], 0), (["mypy", "--strict", bad], 1)):
            result = subprocess.run([python, "-m", *command], env=environment, cwd=self.directory,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertEqual(result.returncode, code, result.stdout)
        self.assertIn("Found 2 errors", result.stdout)

    def test_errors_are_one_line(self):
        with self.assertRaises(OSError):
            memlens.read(os.path.join(self.directory, "absent.mlens"))
        with self.assertRaisesRegex(memlens.MemlensError, "script.py") as raised:
            memlens.read(self.script("print('no capture')\n" * 20))
        self.assertNotIn("\n", str(raised.exception))
        self.assertFalse(str(raised.exception).startswith("memlens:"))
        # Without a program, beside it or anywhere.
        alone = os.path.join(self.directory, "alone")
        shutil.copytree(os.path.join(SOURCE, "python", "memlens"), os.path.join(alone, "memlens"))
        for words, code in ((["run", "x.py"], 125), (["summary", "x.mlens"], 1), (["--version"], 1)):
            result = subprocess.run([sys.executable, "-m", "memlens", *words], text=True,
                                    env={"PATH": self.directory, "PYTHONPATH": alone},
                                    stderr=subprocess.PIPE, check=False)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertRegex(result.stderr, r"^memlens: no memlens program beside .*\n$")
        # All in one folder, as `uv pip install --target` puts it.
        for folder in ("memlens-1.dist-info", "bin"):
            os.mkdir(os.path.join(alone, folder))
        with open(os.path.join(alone, "memlens-1.dist-info", "RECORD"), "w", encoding="utf-8") as file:
            file.write("bin/memlens,,\n")
        os.symlink(MEMLENS, os.path.join(alone, "bin", "memlens"))
        said = subprocess.run([sys.executable, "-m", "memlens", "--version"], text=True, check=True,
                              env={"PATH": self.directory, "PYTHONPATH": alone},
                              stdout=subprocess.PIPE).stdout
        self.assertTrue(said.startswith("memlens "), said)

    def test_a_cell_that_cannot_be_written_as_it_is_stops_nothing(self):
        from memlens._cells import cells_as_files
        name = os.path.join(self.directory, "ipykernel_1", "2.py")
        linecache.cache[name] = (1, None, ["x = '\ud800'\n"], name)
        nowhere = os.path.join(self.directory, "ipykernel_\ud800", "2.py")
        linecache.cache[nowhere] = linecache.cache[name]
        for each in (name, nowhere):
            self.addCleanup(linecache.cache.pop, each)
        with cells_as_files(), open(name, encoding="utf-8") as file:
            self.assertEqual(file.read(), "x = '?'\n")
        self.assertFalse(os.path.exists(os.path.dirname(name)))

    def test_a_dataframe_has_the_rows_where_a_library_for_them_is(self):
        capture = memlens.read(self.capture())
        try:
            frame = capture.to_dataframe("leaks")
        except ImportError as error:
            self.assertIn("pandas", str(error))
            return
        self.assertEqual(frame["bytes"].sum(), capture.summary["leaked_bytes"])
        self.assertIn("keep", list(frame["function"]))

    def test_marks_do_nothing_where_nothing_records(self):
        self.assertFalse(memlens.enabled())
        self.assertIsNone(memlens.mark("here"))

    def test_a_recorded_program_names_its_moments(self):
        script = self.script("import memlens\nassert memlens.enabled()\nmemlens.mark('epoch é 1')\n"
                             "kept = bytearray(1000)\nmemlens.mark(2)\n")
        environment = dict(os.environ, PYTHONPATH=os.path.join(SOURCE, "python"))
        capture = memlens.read(self.record(["python3", script], env=environment))
        self.assertEqual([mark.name for mark in capture.marks], ["epoch é 1", "2"])
        self.assertLess(capture.marks[0].seconds, capture.marks[1].seconds)

    def test_the_module_is_the_program(self):
        environment = dict(os.environ, PYTHONPATH=os.path.join(SOURCE, "python"))
        result = subprocess.run([sys.executable, "-m", "memlens", "--version"],
                                stdout=subprocess.PIPE, text=True, env=environment)
        self.assertEqual(result.stdout, self.memlens("--version").stdout)
        result = subprocess.run([sys.executable, "-m", "memlens", "peak"], stderr=subprocess.PIPE,
                                env=environment)
        self.assertEqual(result.returncode, 2)

    def test_an_arrow_table_has_every_stack_of_every_view_and_a_file_by_host_and_day(self):
        capture = memlens.read(self.capture())
        try:
            import pyarrow  # noqa: F401
            import pyarrow.parquet
        except ImportError:
            with self.assertRaisesRegex(ImportError, "pyarrow"):
                capture.to_arrow()
            self.skipTest("pyarrow is not installed")
        table = capture.to_arrow(build="1")
        sums = table.group_by("view").aggregate([("bytes", "sum")]).to_pylist()
        sums = {row["view"]: row["bytes_sum"] for row in sums}
        self.assertEqual((sums["peak"], sums["leaks"]),
                         (capture.summary["peak_bytes"], capture.summary["leaked_bytes"]))
        path = capture.to_parquet(os.path.join(self.directory, "fleet"), build="1")
        self.assertRegex(path, r"fleet/host=[^/]+/day=\d{4}-\d\d-\d\d/1\.mlens\.parquet$")
        again = pyarrow.parquet.ParquetFile(path).read()
        self.assertEqual(again.num_rows, table.num_rows)
        self.assertEqual(again["frames"].to_pylist(), table["frames"].to_pylist())

    def recorded_output(self, text, *options):
        self.record(["python3", "-S", self.script(text, "app.py")], *options,
                    env={**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python"),
                         "MEMLENS_PROGRAM": MEMLENS})
        return self.recording

    def test_snapshots_of_a_recorded_process_compare_as_tracemalloc_s_do(self):
        said = self.recorded_output("""
import memlens
kept = []
def grow(): kept.append(bytearray(5_000_000))
before = memlens.snapshot()
grow()
after = memlens.snapshot()
print(after.compare_to(before, "lineno")[0])
print(after.filter_traces([memlens.Filter(True, "*app.py", 4)]).statistics("filename")[0])
print(before.compare_to(after, "filename")[0].size_diff < -4_900_000)
print("".join(after.statistics("traceback")[0].traceback.format()[:2]))
""").stdout
        app = os.path.join(self.directory, "app.py")
        self.assertRegex(said, rf"^{app}:4: size=4883 KiB \(\+4883 KiB\), count=\d "
                               r"\(\+\d\), average=\d+ KiB\n")
        self.assertRegex(said, rf"\n{app}:0: size=4883 KiB, count=")
        self.assertIn("True\n", said)
        self.assertIn(f'  File "{app}", line 6    grow()', said)
        with self.assertRaisesRegex(memlens.MemlensError, "not recorded"):
            memlens.snapshot()

    def test_snapshots_are_sorted_and_printed_as_tracemalloc_s(self):
        from memlens._snapshot import Frame, Snapshot, Trace, Traceback
        random = Random(7)
        frames = [(name, line) for name in ("a.py", "lib/b.py") for line in range(1, 6)]

        def pair():
            theirs, ours = [], []
            for _ in range(40):
                stack = random.sample(frames, random.randint(1, 3))
                size, count = random.choice((1, 3, 512, 5000, 2 ** 27, 2 ** 43)), random.randint(1, 3)
                # tracemalloc has a trace a block, and the most recent frame first.
                theirs += [(0, size, tuple(reversed(stack)), len(stack))] * count
                ours.append(Trace(size * count, count, Traceback(Frame(*frame) for frame in stack)))
            return tracemalloc.Snapshot(tuple(theirs), 25), Snapshot(ours)

        def written(statistics):
            return [line for each in statistics for line in
                    (str(each), *each.traceback.format(), *each.traceback.format(1, True))]

        (their_old, our_old), (theirs, ours) = pair(), pair()
        for key in ("lineno", "filename", "traceback"):
            with self.subTest(key):
                self.assertEqual(written(ours.statistics(key)), written(theirs.statistics(key)))
                self.assertEqual(written(ours.compare_to(our_old, key)),
                                 written(theirs.compare_to(their_old, key)))
        self.assertEqual(written(ours.statistics("lineno", True)),
                         written(theirs.statistics("lineno", True)))
        for bad, cumulative in (("line", False), ("traceback", True)):
            for snapshot in (theirs, ours):
                with self.assertRaises(ValueError):
                    snapshot.statistics(bad, cumulative)

    def test_a_capture_s_snapshot_adds_up_to_its_view(self):
        capture = memlens.read(self.capture())
        for view, total in (("leaks", "leaked_bytes"), ("peak", "peak_bytes")):
            snapshot = capture.snapshot(view)
            for key in ("lineno", "filename", "traceback"):
                self.assertEqual(sum(s.size for s in snapshot.statistics(key)),
                                 capture.summary[total])

    def test_a_profiled_function_s_lines_are_listed_at_exit(self):
        text = """
import memlens

def helper(count): return bytearray(count)

@memlens.profile
def load():
    kept = helper(3_000_000)
    for _ in range(10):
        helper(1_000_000)
    return kept

kept = load()
"""
        listed = self.recorded_output(text).stderr
        self.assertRegex(listed, r"Line # +At the peak +Increment +Allocated +Occurrences")
        self.assertRegex(listed, r"\n +8 +3\.00 MB +3\.00 MB +3\.00 MB +\d+ +kept = helper")
        self.assertRegex(listed, r"\n +10 +1\.00 MB +0 B +10\.0 MB +\d+ +helper\(1_000_000\)")
        self.assertRegex(listed, r"\n +11 +return kept\n")
        # It is made when the recording has ended: nothing of it is in the capture.
        capture = memlens.read(os.path.join(self.directory, "%d.mlens" % self.captures))
        inside = {frame.function.rpartition(".")[2] for record in capture.allocations()
                  for frame in record.frames if frame.file.endswith("/memlens/_profile.py")}
        self.assertLessEqual(inside, {"<module>", "profile", "ask_for_tables", "_last_line", "<genexpr>",
                                      "wrapper", "_report"})
        self.assertIn("profile", inside)
        modules = {os.path.basename(frame.file) for record in capture.allocations()
                   for frame in record.frames if "/memlens/" in frame.file}
        self.assertFalse(modules & {"_stream.py", "_process.py", "subprocess.py"})
        self.assertIn("Occurrences", self.memlens("lines", capture.path, "--profiled").stdout)
        alone = subprocess.run([sys.executable, os.path.join(self.directory, "app.py")],
                               env={**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python")},
                               stderr=subprocess.PIPE, text=True, check=True).stderr
        self.assertEqual(alone, "memlens: profile: nothing was recorded; start the program with "
                                "`memlens run`\n")

    def test_a_profiled_generator_s_lines_are_listed_and_what_is_between_its_steps_is_no_range(self):
        script = self.script("import memlens\n@memlens.profile\ndef steps():\n    for size in (1, 2):\n"
                             "        yield bytes(size * 1_000_000)\nkept = list(steps())\n")
        capture = memlens.read(self.record(
            ["python3", script], env=dict(os.environ, PYTHONPATH=os.path.join(SOURCE, "python"))))
        self.assertRegex(self.recording.stderr,
                         r"(?m)^ +5 +3\.00 MB +3\.00 MB +3\.00 MB +\d +yield bytes")
        self.assertEqual(capture.marks, [])
        # Nor is the making of the table the peak of the capture.
        self.assertLess(capture.summary["peak_bytes"], 30_000_000)

    def run_package(self, text, code):
        """What `memlens run` says on stderr of a script that imports the package; its capture."""
        capture = os.path.join(self.directory, "package.mlens")
        said = self.memlens("run", "-q", "-o", capture, "--", "python3", self.script(text), code=code,
                            env={**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python")}).stderr
        return said, capture

    def test_a_profiled_function_s_lines_are_listed_also_after_a_kill(self):
        said, _ = self.run_package("""
import memlens, os, signal
@memlens.profile
def load():
    kept = bytearray(3_000_000)
    os.kill(os.getpid(), signal.SIGKILL)
load()
""", 128 + signal.SIGKILL)
        self.assertRegex(said, r"\n +5 +3\.00 MB +3\.00 MB +3\.00 MB +\d +kept = bytearray")

    def test_a_function_that_is_said_to_begin_before_its_file_is_listed_from_its_first_line(self):
        said, capture = self.run_package("""import memlens, ctypes
from memlens import _recording
def load(): return bytearray(3_000_000)
_recording.profiled(__file__, "load", 0, 2**32 - 1)
kept = load()
""", 0)
        self.assertRegex(said, r"\n +1 +import memlens, ctypes\n")
        self.assertRegex(said, r"\n +3 +3\.00 MB +3\.00 MB +3\.00 MB +\d +def load")
        self.assertEqual(self.memlens("lines", capture, "--profiled").stdout, said)

    def test_a_tracker_in_a_recorded_process_says_what_to_do_instead(self):
        said = self.recorded_output("""
import memlens
try:
    with memlens.Tracker("own.mlens"): pass
except memlens.MemlensError as error:
    print(error)
""").stdout
        self.assertIn("this process is being recorded already; mark what you want to see", said)


if __name__ == "__main__":
    main()
