"""memlens explain, what summary and run say of it, and memory beside what is tracked."""
import glob
import json
import os
import re
import subprocess
import sys

from memlens_testing import MemlensTest, main

LEAKING = """
import time
kept = []
def keep(): kept.append(bytearray(20_000))
for _ in range(350):
    keep()
    time.sleep(0.004)
"""


class Explain(MemlensTest):
    def explain(self, capture, *options):
        return json.loads(self.memlens("explain", capture, "--json", *options).stdout)

    def test_each_form_says_the_same(self):
        capture = self.record([sys.executable, self.script(LEAKING)], "--no-native")
        report = self.explain(capture)
        self.assertEqual(report["schema"], "memlens.explain/1")
        kinds = [finding["kind"] for finding in report["findings"]]
        self.assertEqual(kinds[0], "leak")
        self.assertIn("peak", kinds)
        for finding in report["findings"]:
            self.assertIn(finding["severity"], ("high", "medium", "low"))
            self.assertIn(finding["certainty"], ("measured", "likely", "possible"))
            self.assertTrue(finding["text"].endswith("."), finding["text"])
        self.assertEqual(report["findings"][0]["place"]["function"], "keep")
        self.assertEqual(report["findings"][0]["place"]["line"], 4)
        self.assertRegex(report["findings"][0]["text"],
                         r"a leak, .* At that rate (its cgroup's limit|the machine's memory) of [\d.]+ .B, "
                         r"of which [\d.]+ .B was used, is met after \d")
        flat = lambda text: " ".join(text.split())
        text = flat(self.memlens("explain", capture).stdout)
        summary = flat(self.memlens("summary", capture).stdout)
        markdown = self.memlens("explain", capture, "--markdown").stdout
        self.assertTrue(markdown.startswith("# "), markdown)
        for finding in report["findings"][:2]:
            plain = finding["text"].replace("…", "..")
            self.assertIn(plain, text.replace("…", ".."))
            self.assertIn(plain, summary.replace("…", ".."))
            self.assertIn(plain, self.recording.stderr.replace("…", ".."))
        self.assertIn("**Leak (likely)**", markdown)
        self.memlens("explain", capture, "--json", "--markdown", code=2)

    def test_what_a_pth_file_imports_is_named_in_words_and_is_no_measure_for_the_program(self):
        environment = os.path.join(self.directory, "environment")
        made = subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if made.returncode != 0:
            self.skipTest("no environment can be made")
        packages = glob.glob(os.path.join(environment, "lib", "python3*", "site-packages"))[0]
        with open(os.path.join(packages, "imported_early.py"), "w") as file:
            file.write("data = [bytes(1000) for _ in range(9000)]\n")
        with open(os.path.join(packages, "early.pth"), "w") as file:
            file.write("import imported_early\n")
        script = self.script("""
def parse():
    for _ in range(60_000):
        bytearray(500)
parse()
""")
        capture = self.record([os.path.join(environment, "bin", "python"), script], "--no-native")
        findings = self.explain(capture)["findings"]
        # 30 MB are many times what the program itself has, and three times the peak.
        self.assertEqual((findings[0]["kind"], findings[0]["place"]["function"]), ("churn", "parse"))
        peak = next(finding for finding in findings if finding["kind"] == "peak")
        self.assertRegex(peak["text"], r"of it at modules imported at Python's start by a \.pth file "
                                       r"\((<frozen site>|.*site\.py):\d+\)")

    def test_what_was_in_memory_after_a_range_is_no_evidence_of_it(self):
        script = """
import time
def hold(size): return bytearray(size)
first = [hold(2000) for _ in range(20_000)]
time.sleep(0.4)
second = [hold(2000) for _ in range(60_000)]
time.sleep(1)
"""
        capture = self.record([sys.executable, self.script(script)], "--no-native")
        findings = self.explain(capture, "--to", "0.3")["findings"]
        self.assertEqual([finding for finding in findings if finding["kind"] == "fragmentation"], [])

    def test_of_blocks_that_come_and_go_some_may_be_kept(self):
        script = """
import collections
window, kept = collections.deque(), []
def get(): return bytearray(200_000)
for i in range(5000):
    window.append(get())
    if len(window) > 30:
        block = window.popleft()
        if i % 50 == 0: kept.append(block)
"""
        capture = self.record([sys.executable, self.script(script)], "--no-native")
        churn = [finding for finding in self.explain(capture)["findings"] if finding["kind"] == "churn"]
        self.assertEqual([finding["place"]["function"] for finding in churn], ["get"])
        self.assertRegex(churn[0]["text"], r" in [\d,]+ blocks, \d+ times what the peak holds( beside Python's "
                                           r"start)?, so hardly any of them lived long: ")

    def test_run_ends_with_what_happened_and_what_to_type_next(self):
        capture = self.record([sys.executable, "-c", "kept = bytearray(3_000_000)"], "--no-native")
        lines = self.recording.stderr.splitlines()
        self.assertEqual(lines[-2:], [f"memlens: next: memlens summary {capture}",
                                      f"memlens: next: memlens flamegraph {capture}"])
        self.assertTrue(any("The peak was" in line for line in lines), lines)
        # Under `uv run`, memlens is not on the PATH of the shell that the words are typed into.
        capture = self.record([sys.executable, "-c", "pass"],
                              env={**os.environ, "UV_RUN_RECURSION_DEPTH": "1"})
        self.assertIn(f"next: uv run memlens summary {capture}\n", self.recording.stderr)
        self.record([sys.executable, "-c", "pass"], "-q")
        self.assertEqual(self.recording.stderr, "")

    def test_a_capture_that_ends_early_says_so_first(self):
        capture = self.record([sys.executable, "-c", "kept = bytearray(3_000_000)"], "--no-native")
        with open(capture, "rb") as file:
            content = file.read()
        with open(capture, "wb") as file:
            file.write(content[:-100])
        self.assertEqual(self.explain(capture)["findings"][0]["kind"], "incomplete")

    def test_a_kill_is_named(self):
        script = "import os, signal; kept = bytearray(3_000_000); os.kill(os.getpid(), signal.SIGTERM)"
        capture = self.record([sys.executable, "-c", script], "--no-native", code=128 + 15)
        self.assertEqual(self.summary(capture)["ended_by"], "SIGTERM")
        finding = self.explain(capture)["findings"][0]
        self.assertEqual(finding["kind"], "killed")
        self.assertIn("SIGTERM", finding["text"])
        capture = self.record([sys.executable, "-c", "pass"])
        self.assertIsNone(self.summary(capture)["ended_by"])


class BesideTracked(MemlensTest):
    def test_what_was_never_touched_is_told_apart(self):
        capture = self.record([self.program("untouched_mapping")])
        summary = self.summary(capture)
        megabyte = 1 << 20
        self.assertLess(abs(summary["by_allocator"]["mmap"]["leaked_bytes"] - 10 * megabyte),
                        2 * megabyte)
        self.assertLess(abs(summary["peak_bytes"] - 30 * megabyte), 2 * megabyte)
        self.assertGreater(summary["untouched_at_peak_bytes"], 0.99 * (1 << 40))
        # The one that was unmapped counts as asked for: what of it was touched is not known.
        self.assertEqual(summary["by_allocator"]["mmap"]["allocated_bytes"] - 5 * megabyte,
                         summary["by_allocator"]["mmap"]["leaked_bytes"])
        self.assertGreater(summary["rss_peak_bytes"], 30 * megabyte)
        kinds = [f["kind"] for f in
                 json.loads(self.memlens("explain", capture, "--json").stdout)["findings"]]
        self.assertEqual(kinds[0], "reserve")
        self.assertIn("mapped memory (mmap)", self.memlens("summary", capture).stdout)
        for view, total in (("peak", "peak_bytes"), ("leaks", "leaked_bytes"),
                            ("allocations", "allocated_bytes")):
            self.assertEqual(self.stacks(view, capture)["total_bytes"], summary[total], view)

    def test_rss_at_the_peak_is_what_is_tracked_and_what_is_not(self):
        # The peak is a moment after the memory was written to, however slow that was.
        script = ("import time; kept = b'x' * 60_000_000; time.sleep(0.3); more = bytes(100_000); "
                  "time.sleep(0.5)")
        capture = self.record([sys.executable, "-c", script], "--no-native")
        summary = self.summary(capture)
        self.assertGreater(summary["rss_at_peak_bytes"], 60_000_000)
        self.assertGreaterEqual(summary["rss_peak_bytes"], summary["rss_at_peak_bytes"])
        self.assertEqual(summary["untracked_at_peak_bytes"],
                         summary["rss_at_peak_bytes"] - summary["peak_bytes"])
        text = self.memlens("summary", capture).stdout
        self.assertRegex(text, r"RSS at the peak +[\d.]+ MB = [\d.]+ MB tracked \+ [\d.]+ MB other")
        thread = self.stacks("peak", capture)["stacks"][0]["thread"]
        self.assertIsNone(self.summary(capture, "--thread", thread)["rss_at_peak_bytes"])

    def findings(self, script):
        """The summary, and what explains it, by kind."""
        self.capture = self.record([sys.executable, self.script(script)], "--no-native")
        report = json.loads(self.memlens("explain", self.capture, "--json").stdout)
        return self.summary(self.capture), {finding["kind"]: finding for finding in report["findings"]}

    def test_memory_that_is_no_block_is_told_by_what_it_is(self):
        summary, findings = self.findings("""
import mmap, time
kept = bytearray(20_000_000)
shared = mmap.mmap(-1, 80_000_000)
for at in range(0, len(shared), 4096): shared[at] = 1
time.sleep(0.5)
more = bytearray(1_000_000)
time.sleep(0.5)
""")
        parts = summary["rss_at_peak_parts"]
        self.assertEqual(parts["resident_bytes"],
                         sum(parts[name] for name in ("anonymous_bytes", "file_bytes", "stack_bytes",
                                                      "shared_memory_bytes", "recorder_bytes")))
        self.assertLess(abs(parts["shared_memory_bytes"] - 80_000_000), 2_000_000)
        self.assertGreater(parts["anonymous_bytes"], 20_000_000)
        self.assertLess(abs(parts["resident_bytes"] - summary["rss_at_peak_bytes"]),
                        summary["rss_at_peak_bytes"] / 6)
        self.assertRegex(findings["rss_gap"]["text"], r"(79|80|81)\.\d MB shared memory")
        text = self.memlens("summary", self.capture).stdout
        self.assertRegex(text, r"made of +(about )?[\d.]+ MB heap and stacks, [\d.]+ MB code and files\n"
                               r" +(79|80|81)\.\d MB shared")

    FORKED = """
import os, time
inherited = [bytearray(100_000) for _ in range(600)]
def child():
    if %s:
        for block in inherited:
            for at in range(0, len(block), 4096): block[at] = 1
    time.sleep(1.5)
    os._exit(0)
for _ in range(2):
    if os.fork() == 0: child()
time.sleep(1)
own = bytearray(15_000_000)
time.sleep(0.2)
for _ in range(2): os.wait()
"""

    def test_pages_that_processes_share_are_counted_once(self):
        summary, findings = self.findings(self.FORKED % False)
        self.assertGreater(summary["rss_at_peak_bytes"], 180_000_000)
        parts = summary["rss_at_peak_parts"]
        self.assertLess(parts["proportional_bytes"], 120_000_000)
        self.assertLessEqual(parts["own_bytes"], parts["proportional_bytes"])
        self.assertIn("shared_pages", findings)
        self.assertNotIn("copied_pages", findings)
        self.assertNotIn("rss_gap", findings)

    def test_pages_copied_after_a_fork_are_no_blocks_of_the_child(self):
        _, findings = self.findings(self.FORKED % True)
        copied = findings["copied_pages"]
        self.assertGreater(copied["bytes"], 100_000_000)
        self.assertLess(copied["bytes"], 160_000_000)
        self.assertIn("2 forked processes", copied["text"])

    def kinds_with_memory_kept_by_malloc(self, start):
        """60 MB are freed half a second before the end, below one block that stays."""
        script = f"""
import time
class Holder:
    def __init__(self):
        self.held = [bytearray(1000) for _ in range(60_000)]
        self.stays = bytearray(1000)
    def __del__(self, sleep=time.sleep):
        sleep(0.2)
        self.held.clear()
        sleep(0.5)
holder = Holder()
{start}
"""
        capture = self.record([sys.executable, self.script(script)], "--no-native")
        report = json.loads(self.memlens("explain", capture, "--json").stdout)
        return [finding["kind"] for finding in report["findings"]]

    def test_freed_and_kept_is_said_of_what_the_program_freed_itself(self):
        self.assertIn("fragmentation", self.kinds_with_memory_kept_by_malloc("holder.__del__()"))

    def test_what_the_interpreter_frees_when_it_shuts_down_is_not_called_freed_and_kept(self):
        self.assertNotIn("fragmentation", self.kinds_with_memory_kept_by_malloc(""))

    def test_processes_are_listed_by_what_they_held(self):
        script = """
import os, time
for size in (1, 3, 2):
    if os.fork() == 0:
        held = bytearray(size * 1_000_000); time.sleep(0.4); os._exit(0)
for _ in range(3): os.wait()
"""
        capture = self.record([sys.executable, self.script(script)], "--no-native")
        text = self.memlens("summary", capture).stdout
        table = text.split("Processes\n")[1].splitlines()[1:4]
        peaks = [float(re.search(r"([\d.]+) MB", line)[1]) for line in table]
        self.assertEqual(peaks, sorted(peaks, reverse=True))
        self.assertGreaterEqual(peaks[0], 3)


if __name__ == "__main__":
    main()
