"""memlens run --sample: estimates against everything recorded, seeds fixed; and memlens growing."""
import json
import math
import os
import re
import sys

from memlens_testing import VIEWS, MemlensTest, functions, main

# A program with small blocks and large ones, kept and thrown away, resized and handed on. The same
# allocations each time: a generator of its own, no hashing, no threads.
OBJECTS = """
kept = []
def keep(i): kept.append(bytearray(100 + i % 1000))
def drop(i): return [float(i)] * (i % 60)
def fill(i): return {str(i + k): (i, k) for k in range(20)}
for i in range(12000):
    keep(i)
    drop(i)
    fill(i)
"""

EVENT = re.compile(r" (?:allocate|free) address=(?P<address>\w+)(?: bytes=(?P<bytes>\d+))?")
FRAME = re.compile(r" 1/1 frame kind=events sequence=(?P<sequence>\d+)")

SUMS = (("allocated_bytes", "allocations"), ("leaked_bytes", "leaked_blocks"),
        ("temporary_bytes", "temporary_blocks"))


class Sampling(MemlensTest):
    def sample(self, command, interval, seed, *options):
        environment = {**os.environ, "MEMLENS_SAMPLE_SEED": str(seed), "PYTHONHASHSEED": "0"}
        return self.record(command, "--sample", interval, *options, env=environment)

    def assert_within(self, estimate, truth, error, what):
        self.assertGreater(error, 0, what)
        self.assertLess(abs(estimate - truth), 5 * error + 1,
                        f"{what}: {estimate} for {truth}, one standard error is {error:.0f}")

    def events_of_only_thread(self, capture):
        """Its records as `memlens dump` prints them, in their order: the file's may be another."""
        frames = {}
        for line in self.memlens("dump", capture).stdout.splitlines():
            if frame := FRAME.search(line):
                records = frames.setdefault(int(frame["sequence"]), [])
            elif " 1/1 " in line:
                records.append(line)
        return [line for _, records in sorted(frames.items()) for line in records]

    def expectation(self, full, interval):
        """What samples of everything in the capture `full` estimate: its summary without the blocks
        of no bytes, of which there are no samples, and the standard error of the bytes and blocks
        of all that was allocated and of what was left. A block of s bytes is kept with the chance
        p = 1 - exp(-s / interval) and stands for 1 / p like it, so its share of the variance is
        (1 - p) / p. The errors a report shows are made from the few blocks kept: of counts, which
        hang on how many of the smallest are among them, they are too rough to judge by."""
        truth = self.summary(full)
        alive, variances = {}, {name: [0, 0] for name in SUMS[:2]}

        def add(names, size):
            if size == 0:
                truth[names[1]] -= 1
                return
            kept = -math.expm1(-size / interval)
            variances[names][0] += size * size * (1 - kept) / kept
            variances[names][1] += (1 - kept) / kept

        at_shutdown = {}  # what is alive when Python begins to end counts as left
        for line in self.events_of_only_thread(full):
            if " shutdown " in line:
                at_shutdown, alive = alive, {}
            elif event := EVENT.search(line):
                alive.pop(event["address"], None)
                if event["bytes"]:
                    alive[event["address"]] = int(event["bytes"])
                    add(SUMS[0], int(event["bytes"]))
        left = [*at_shutdown.values(), *alive.values()]
        # Mappings are outside of this: all of them are recorded.
        mapped = truth["by_allocator"]["mmap"]["leaked_bytes"]
        self.assertEqual(sum(left), truth["leaked_bytes"] - mapped)
        for size in left:
            add(SUMS[1], size)
        return truth, {name: math.sqrt(variance) for names, pair in variances.items()
                       for name, variance in zip(names, pair)}

    def assert_estimates(self, command, interval, *options):
        """Totals and the heaviest stacks of several seeds, each within five standard errors; and
        their mean, which has less room."""
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        full = self.record(command, *options, env=environment)
        truth, errors = self.expectation(full, interval)
        stacks = {json.dumps(s["frames"]): s for s in self.stacks("allocations", full)["stacks"]}
        sums = {}
        seeds = (1, 2, 3, 4, 5)
        for seed in seeds:
            capture = self.sample(command, str(interval), seed, *options)
            estimate = self.summary(capture)
            for names in SUMS:
                # Of a handful of samples not even the error can be told.
                if truth[names[0]] < 50 * interval:
                    continue
                for name in names:
                    error = errors.get(name, estimate[name + "_error"])
                    self.assert_within(estimate[name], truth[name], error, f"{name}, seed {seed}")
                    total, variance = sums.get(name, (0, 0))
                    sums[name] = total + estimate[name], variance + error * error
            self.assertEqual(estimate["unmatched_frees"], 0)
            self.assertEqual(estimate["lost_events"], 0)
            self.assertEqual(estimate["allocations"] - estimate["frees"],
                             estimate["leaked_blocks"])
            for name in ("allocated_bytes", "leaked_bytes"):
                self.assertAlmostEqual(estimate[name + "_error"] / errors[name], 1, delta=0.3)
            self.assertEqual(estimate["sample_bytes"], interval)
            # self.stacks() checks that the stacks add up to their totals: these are the summary's.
            for view, (size, count) in zip(VIEWS, (("peak_bytes", "peak_blocks"), SUMS[1], SUMS[2],
                                                   SUMS[0])):
                report = self.stacks(view, capture)
                self.assertEqual((report["total_bytes"], report["total_blocks"]),
                                 (estimate[size], estimate[count]))
            for stack in self.stacks("allocations", capture)["stacks"][:3]:
                self.assert_within(stack["bytes"], stacks[json.dumps(stack["frames"])]["bytes"],
                                   stack["bytes_error"], str(functions(stack)))
        for name, (total, variance) in sums.items():
            self.assert_within(total / len(seeds), truth[name], variance ** 0.5 / len(seeds), name)

    def test_estimates_of_a_c_program_are_right_and_add_up(self):
        self.assert_estimates([self.program("mixed_calls"), "3", "60000"], 8192, "--no-native")

    def test_estimates_of_a_python_program_are_right_and_add_up(self):
        self.assert_estimates([sys.executable, self.script(OBJECTS)], 8192)

    def test_an_interpreter_coming_up_is_sampled_like_everything_else(self):
        """Until Python is initialised its hooks see every block, large ones within each other's: a
        countdown that ends in a nested call once made what followed 8 % too large."""
        command, interval = [sys.executable, "-S", "-E", "-c", "pass"], 8192
        truth = self.summary(self.record(command))["allocated_bytes"]
        estimates = [self.summary(self.sample(command, str(interval), seed))["allocated_bytes"]
                     for seed in range(1, 41)]
        # Of each block the variance is less than its bytes times the interval.
        error = math.sqrt(truth * interval / len(estimates))
        self.assertLess(abs(sum(estimates) / len(estimates) - truth), 4 * error)

    def test_at_one_byte_the_estimate_is_the_truth(self):
        command = [self.program("mixed_calls"), "7", "2000"]
        truth = self.summary(self.record(command))
        estimate = self.summary(self.sample(command, "1", 1))
        # Blocks of a few bytes may be missed, and those of none are.
        for name in ("allocated_bytes", "leaked_bytes"):
            self.assertAlmostEqual(estimate[name] / truth[name], 1, delta=0.02)

    def test_threads_that_free_each_others_blocks_leave_nothing_behind(self):
        for seed in range(1, 6):
            command = [self.program("threads_exchange"), str(seed), "2000"]
            truth = self.summary(self.record(command, "--no-native"))
            estimate = self.summary(self.sample(command, "1Ki", seed, "--no-native"))
            self.assertEqual(estimate["unmatched_frees"], 0)
            self.assert_within(estimate["allocated_bytes"], truth["allocated_bytes"],
                               estimate["allocated_bytes_error"], "allocated")
            error = max(estimate["leaked_bytes_error"], 1024)
            self.assert_within(estimate["leaked_bytes"], truth["leaked_bytes"], error, "left")

    def test_a_failed_realloc_leaves_the_sample_alive(self):
        command = [self.program("failed_realloc")]
        truth = self.summary(self.record(command))
        estimate = self.summary(self.sample(command, "1", 1))
        self.assertEqual(estimate["leaked_bytes"], truth["leaked_bytes"])
        self.assertEqual(estimate["unmatched_frees"], 0)

    def test_mappings_are_all_recorded(self):
        command = [self.program("mapping_rules")]
        truth = self.summary(self.record(command))["by_allocator"]["mmap"]
        estimate = self.summary(self.sample(command, "1G", 1))
        self.assertEqual(estimate["by_allocator"]["mmap"], truth)

    def test_every_process_of_a_tree_samples_and_a_child_knows_nothing_of_its_parents_blocks(self):
        script = self.script("""
import os, subprocess, sys
kept = [bytearray(100_000) for _ in range(50)]
for _ in range(2):
    if os.fork() == 0:
        kept.clear()
        mine = [bytearray(200_000) for _ in range(50)]
        os._exit(0)
    os.wait()
subprocess.run([sys.executable, "-c", "kept = [bytearray(100_000) for _ in range(70)]"])
""")
        capture = self.sample([sys.executable, script], "10Ki", 1)
        report = self.stacks("allocations", capture)
        # Blocks much larger than the interval are never missed.
        large = [(s["blocks"], s["bytes"]) for s in report["stacks"] if s["bytes"] > 4_500_000]
        counts = sorted(round(size / 50 / 1000) for _, size in large)
        self.assertEqual(len(counts), 4)
        self.assertEqual(self.summary(capture)["unmatched_frees"], 0)

    def test_the_text_reports_say_that_it_is_a_sample_and_how_far_off(self):
        capture = self.sample([self.program("mixed_calls"), "1", "20000"], "512Ki", 1)
        self.assertIn("about", self.recording.stderr)
        for report in ("summary", "peak", "leaks", "tree", "growing"):
            text = self.memlens(report, capture).stdout
            self.assertIn("sampled, 1 per 512 KiB", text, report)
        summary = self.memlens("summary", capture).stdout
        self.assertRegex(summary, r"Allocated in all .* (±|\+-) ")
        self.assertRegex(" ".join(summary.split()), "that of the peak may be .* too high")
        self.assertIn("interval", self.memlens("dump", capture).stdout)

    def test_an_impossible_interval_is_refused(self):
        for size in ("0", "-5", "many", "2000T"):
            result = self.memlens("run", "--sample", size, "true", code=125)
            self.assertIn("--sample", result.stderr)

    def test_everything_recorded_has_no_errors(self):
        summary = self.summary(self.record([self.program("mixed_calls"), "1", "1000"]))
        self.assertEqual(summary["sample_bytes"], 0)
        self.assertNotIn("allocated_bytes_error", summary)


class Growing(MemlensTest):
    SCRIPT = """
import time
leaked, cache, window = [], {}, []
def leak(): leaked.append(bytearray(20_000))
def fill(i): cache[i % 20] = bytearray(100_000)
def slide():
    window.append(bytearray(50_000))
    if len(window) > 100: window.pop(0)
for i in range(1000):
    leak(); fill(i); slide()
    time.sleep(0.002)
"""

    def assert_leak_is_found(self, *options):
        capture = self.record([sys.executable, self.script(self.SCRIPT)], *options)
        report = self.stacks("growing", capture)
        self.assertEqual([functions(stack)[0] for stack in report["stacks"]], ["leak"])
        stack = report["stacks"][0]
        marks = stack["bytes_at_marks"]
        self.assertEqual(len(marks), len(report["marks_seconds"]))
        self.assertEqual(marks[-1], stack["bytes"])
        self.assertEqual(marks[-1] - marks[0], stack["gained_bytes"])
        self.assertIn("leak", self.memlens("growing", capture).stdout)
        self.assertEqual(report["schema"], "memlens.growing/1")
        shapes = {place["function"]: place["shape"] for place in report["places"]}
        self.assertEqual(shapes["leak"], "leak")
        self.assertIn(shapes["fill"], ("startup", "cache"))
        self.assertNotEqual(shapes["slide"], "leak")
        place = next(p for p in report["places"] if p["function"] == "leak")
        self.assertGreater(place["bytes_per_second"], 1_000_000)
        self.assertLess(place["since_seconds"], 1)
        return report

    def test_a_line_of_many_callers_is_one_place(self):
        script = """
import random, time
kept = []
def record(text): kept.append(text * 20)
code = "\\n".join(f"def handler_{i}(n):\\n    record('request %d of {i}' % n)" for i in range(300))
exec(compile(code, "handlers.py", "exec"))
handlers = [globals()[f"handler_{i}"] for i in range(300)]
pick, number = random.Random(1), 0
for _ in range(150):
    for _ in range(8):
        handlers[pick.randrange(300)](number); number += 1
    time.sleep(0.01)
"""
        report = self.stacks("growing", self.record([sys.executable, self.script(script)]))
        place = report["places"][0]
        leaked = sum(len(f"request {n} of 100") * 20 for n in range(1200))
        self.assertEqual((place["function"], place["shape"]), ("record", "leak"))
        self.assertGreater(place["gained_bytes"], 0.8 * leaked)
        self.assertGreater(place["stacks"], 200)
        self.assertGreater(report["total_bytes"], 0.8 * leaked)

    def test_what_a_process_held_ends_with_it(self):
        """Children that hold a megabyte each in turn are no growth."""
        script = """
import os, time
def hold(): return bytearray(1_000_000)
for _ in range(20):
    if os.fork() == 0:
        held = hold(); time.sleep(0.03); os._exit(0)
    os.wait()
    time.sleep(0.01)
"""
        capture = self.record([sys.executable, self.script(script)])
        report = json.loads(self.memlens("growing", capture, "--json").stdout)
        self.assertEqual([p for p in report["places"] if p["function"] == "hold"], [])
        self.assertEqual(report["stacks"], [])

    def test_a_leak_is_told_from_a_cache_and_a_window(self):
        report = self.assert_leak_is_found()
        self.assertGreater(report["total_bytes"], 20_000_000)

    def test_the_same_of_samples(self):
        self.assert_leak_is_found("--sample", "32Ki")


if __name__ == "__main__":
    main()
