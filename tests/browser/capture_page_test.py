"""Pages of real captures: what they show against --json, ranges against the records of `dump`, and
what the command's options do."""

import base64
import collections
import json
import os
import re
import sys
import unittest
import zlib

SKIPPED = 77
try:
    import browser
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(SKIPPED)

from memlens_testing import MEMLENS, VIEWS, MemlensTest  # noqa: F401

PROGRAM = """
import threading
import time

kept = []

def grow(count):
    return [bytes(1000 + i % 7) for i in range(count)]

def churn(count):
    for i in range(count):
        block = bytearray(5000)

def fold(depth):
    return [bytes(300)] + (fold(depth - 1) if depth else [])

def main():
    for step in range(10):
        kept.append(grow(100))
        kept.append(fold(5))
        churn(200)
        if step == 4:
            large = bytearray(3_000_000)
            time.sleep(0.03)
            del large
        time.sleep(0.02)

main()
"""
SYSTEM_PYTHON = "/usr/bin/python3"


def page_data(path):
    """The directory and the text of a page's columns."""
    with open(path, encoding="ascii") as file:
        text = file.read()
    encoded = re.search(r'id="capture-data">([^<]*)<', text).group(1)
    data = zlib.decompress(base64.b64decode(encoded))
    length = int.from_bytes(data[:4], "little")
    directory = json.loads(data[4:4 + length])
    at = 4 + length
    for name, _, size in directory["columns"]:
        if name == "strings.text":
            strings = data[at:at + size].decode("utf-8", "replace")
        at += size
    return directory, strings


class CapturePageTest(MemlensTest):
    @classmethod
    def setUpClass(cls):
        cls.driver = cls.enterClassContext(browser.chromium())
        browser.set_dark(cls.driver, False, reduced_motion=True)

    def record_program(self, *options):
        return self.record([SYSTEM_PYTHON, self.script(PROGRAM, "growing.py")], *options)

    def page(self, capture, *options):
        path = os.path.join(self.directory, "page.html")
        self.memlens("flamegraph", capture, "-f", "-o", path, *options)
        return path

    def open(self, path, fragment=""):
        browser.open_page(self.driver, path, fragment)

    def run_script(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)


class AgainstJson(CapturePageTest):
    def own_by_leaf(self):
        """{(function, file, line): [bytes, blocks]} of the page's bars, hidden frames shown."""
        rows = self.run_script("""
            const { capture, callTree } = memlens;
            const leaves = [];
            for (let site = 0; site < capture.siteCount; ++site) {
              const frame = callTree.frames[callTree.siteNodes[site]];
              leaves.push([capture.functionName(frame), capture.fileName(frame),
                capture.frameLine[frame], memlens.values.bytes[site], memlens.values.blocks[site]]);
            }
            return leaves;""")
        sums = collections.defaultdict(lambda: [0, 0])
        for function, file, line, size, blocks in rows:
            sums[function, file, line][0] += size
            sums[function, file, line][1] += blocks
        return {key: value for key, value in sums.items() if value != [0, 0]}

    def check_views(self, capture, *options):
        path = self.page(capture, "--budget", "1000000", *options)
        for view in VIEWS:
            with self.subTest(view=view):
                report = self.stacks(view, capture, *options)
                self.open(path, f"view={view}&hideImports=0&hideInternals=0")
                self.assertEqual(self.run_script("return memlens.callTree.total(0)"),
                                 report["total_bytes"])
                expected = collections.defaultdict(lambda: [0, 0])
                for stack in report["stacks"]:
                    leaf = stack["frames"][0]
                    sums = expected[leaf["function"], leaf.get("file") or "", leaf.get("line") or 0]
                    sums[0] += stack["bytes"]
                    sums[1] += stack["blocks"]
                self.assertEqual(self.own_by_leaf(), dict(expected))
                self.open(path, f"view={view}&metric=blocks")
                self.assertEqual(self.run_script("return memlens.callTree.total(0)"),
                                 report["total_blocks"])

    def test_every_view_shows_what_json_says(self):
        self.check_views(self.record_program())

    def test_with_native_frames_too(self):
        self.check_views(self.record_program("--native"))

    def test_a_process_and_a_part_of_the_time(self):
        capture = self.record_program()
        pid = json.loads(self.memlens("peak", capture, "--json").stdout)["stacks"][0]["pid"]
        self.check_views(capture, "--pid", pid, "--from", "0.05", "--to", "0.15")

    def test_native_programs_and_their_trees_of_processes(self):
        self.check_views(self.record([self.program("process_tree"), "fork"]))

    def test_the_header_shows_the_summary(self):
        capture = self.record_program()
        summary = self.summary(capture)
        self.open(self.page(capture))
        totals = self.run_script("return memlens.capture.about.totals")
        for name in ("allocations", "frees", "allocated_bytes", "peak_bytes", "peak_blocks",
                     "leaked_bytes", "leaked_blocks", "temporary_blocks"):
            self.assertEqual(totals[name], summary[name], name)
        facts = self.run_script("return document.getElementById('facts').textContent")
        self.assertIn(summary["python"], facts)
        self.assertIn("RSS outside tracked blocks", facts)
        command = self.run_script("return document.getElementById('command').textContent")
        self.assertEqual(command, " ".join(summary["command"]))


class AgainstDump(CapturePageTest):
    """Ranges, worked out here from the file's records by plain code."""

    def events(self, capture):
        lines = self.memlens("dump", capture).stdout.splitlines()
        sequences, events, times = {}, [], []
        for position, line in enumerate(lines):
            offset, owner, kind, *fields = line.split(" ")
            values = dict(field.split("=", 1) for field in fields if "=" in field)
            if kind == "frame":
                sequences[offset] = int(values["sequence"])
            elif kind == "time":
                times.append((int(values["ticks"]), float(values["seconds"])))
            elif kind == "process_end":
                end_ticks = int(re.search(r'ticks\\":(\d+)', line).group(1))
            elif kind in ("allocate", "free", "map", "unmap", "shutdown"):
                events.append((sequences[offset], position, owner, kind, values))
        self.assertEqual(len({owner for _, _, owner, _, _ in events}), 1, "one thread only")
        (first_ticks, first), (last_ticks, last) = min(times), max(times)
        rate = (last - first) / (last_ticks - first_ticks)
        end = first + (end_ticks - first_ticks) * rate
        return [event[3:] for event in sorted(events, key=lambda event: event[:2])] + [
            ("process_end", {"seconds": end})]

    def temporary(self, events, start, end):
        """Bytes of blocks allocated inside and freed before the thread's next allocation."""
        newest = None
        total = 0
        for kind, values in events:
            if kind in ("allocate", "map"):
                seconds = float(values["seconds"])
                inside = seconds >= start and (end is None or seconds < end)
                newest = (values["address"], int(values["bytes"]), inside)
            elif kind == "shutdown":
                newest = None  # what was there before is never counted as freed
            elif newest and kind in ("free", "unmap") and values["address"] == newest[0]:
                total += newest[1] if newest[2] else 0
                newest = None
        return total

    def answers(self, events, start, end):
        """(allocated inside, retained, peak inside) in bytes; `end` None: to the last event."""
        live, born_inside, retained_anyway = {}, set(), 0
        allocated = level = peak = 0
        entered = shut_down = False
        for number, (kind, values) in enumerate(events):
            seconds = float(values["seconds"])
            if not entered and seconds >= start:
                entered, peak = True, level
            if end is not None and seconds >= end:
                break
            if kind == "process_end":
                level = 0
            elif kind == "shutdown":
                shut_down = values["began"] == "1"
            elif kind in ("allocate", "map"):
                size = int(values["bytes"])
                live[values["address"]] = (size, number, shut_down)
                level += size
                if seconds >= start:
                    allocated += size
                    born_inside.add(number)
                if entered:
                    peak = max(peak, level)
            elif values["address"] in live:
                size, birth, born_late = live.pop(values["address"])
                level -= size
                if shut_down and not born_late and birth in born_inside:
                    retained_anyway += size
        if not entered:
            peak = level
        retained = sum(size for size, birth, _ in live.values() if birth in born_inside)
        return allocated, retained + retained_anyway, peak

    def test_any_range_equals_a_replay_of_the_records(self):
        capture = self.record_program()
        events = self.events(capture)
        self.open(self.page(capture))
        buckets = self.run_script("return memlens.capture.bucketCount")
        self.assertGreaterEqual(buckets, 64)
        for first, end in ((0, buckets), (0, buckets // 2), (buckets // 2, buckets),
                           (buckets // 3, buckets // 2), (buckets // 4, buckets // 4 + 1),
                           (buckets - 9, buckets - 2)):
            with self.subTest(first=first, end=end, of=buckets):
                start, stop = self.run_script(
                    "return [...arguments].map((b) => memlens.capture.bucketStartSeconds(b))",
                    first, end)
                span = (start if first > 0 else 0, stop if end < buckets else None)
                allocated, retained, peak = self.answers(events, *span)
                shown = {}
                for view in VIEWS:
                    shown[view] = self.run_script("""
                        memlens.update({ view: arguments[0], range: [arguments[1], arguments[2]] });
                        return memlens.callTree.total(0);""", view, first, end)
                self.assertEqual(shown, {"allocations": allocated, "leaks": retained, "peak": peak,
                                         "temporary": self.temporary(events, *span)})


class Options(CapturePageTest):
    def test_the_page_lies_beside_the_capture_and_is_never_overwritten_unasked(self):
        capture = self.record_program()
        path = capture.replace(".mlens", ".html")
        self.assertEqual(self.memlens("flamegraph", capture).stdout.strip().splitlines()[-1], path)
        self.assertTrue(os.path.exists(path))
        again = self.memlens("flamegraph", capture, code=1)
        self.assertIn("exists already", again.stderr)
        self.memlens("flamegraph", capture, "-f")

    def test_a_page_that_cannot_be_written_leaves_nothing(self):
        capture = self.record_program()
        missing = os.path.join(self.directory, "no", "page.html")
        failed = self.memlens("flamegraph", capture, "-o", missing, code=1)
        self.assertIn("cannot be written", failed.stderr)
        self.assertEqual(len(failed.stderr.strip().splitlines()), 1)

    def test_a_typical_page_is_small(self):
        self.assertLess(os.path.getsize(self.page(self.record_program())), 500_000)

    def test_the_view_asked_for_is_shown_first(self):
        self.open(self.page(self.record_program(), "--view", "leaks"))
        self.assertEqual(self.run_script("return memlens.state.view"), "leaks")

    def test_a_budget_keeps_the_sums(self):
        capture = self.record_program()
        path = self.page(capture, "--budget", "200")
        directory, _ = page_data(path)
        counts = {name: count for name, count, _ in directory["columns"]}
        self.assertLessEqual(counts["node.up"], 200)
        self.assertGreater(counts["node.merged"], 0)
        for view in VIEWS:
            self.open(path, f"view={view}")
            self.assertEqual(self.run_script("return memlens.callTree.total(0)"),
                             self.stacks(view, capture)["total_bytes"])
        self.open(path, "view=allocations")
        names = self.run_script("""
            const { callTree, capture } = memlens;
            return [...callTree.mergedNodes.values()].filter((count) => count > 0).length;""")
        self.assertGreater(names, 0)

    def test_redacted_pages_hold_no_path_above_the_project_no_argument_and_no_source(self):
        capture = self.record([SYSTEM_PYTHON, self.script(PROGRAM, "growing.py"),
                               "--password=hunter2"])
        directory, strings = page_data(self.page(capture, "--redact"))
        everything = json.dumps(directory) + strings
        for secret in ("hunter2", self.directory, "/usr/lib", "bytearray(5000)", os.uname().nodename):
            self.assertNotIn(secret, everything)
        self.assertIn("growing.py", strings)
        self.assertIn("churn", strings)
        plain_directory, plain_strings = page_data(self.page(capture))
        self.assertIn("hunter2", json.dumps(plain_directory))
        self.assertIn("bytearray(5000)", plain_strings)


class Screenshots(CapturePageTest):
    """Kept in the build, for looking at: tests/browser in the build directory."""

    def test_pages_draw_at_two_sizes_in_light_and_dark(self):
        path = self.page(self.record_program())
        folder = os.path.join(os.environ["MEMLENS_BUILD"], "tests", "browser", "screenshots")
        os.makedirs(folder, exist_ok=True)
        for width, height in ((1440, 900), (720, 1000)):
            for dark in (False, True):
                browser.resize(self.driver, width, height)
                browser.set_dark(self.driver, dark, reduced_motion=True)
                for name, fragment in (("graph", ""), ("table", "mode=table")):
                    self.open(path, fragment)
                    overflow = self.run_script(
                        "return document.documentElement.scrollWidth - window.innerWidth")
                    self.assertLessEqual(overflow, 0, "nothing is wider than the window")
                    theme = "dark" if dark else "light"
                    shot = os.path.join(folder, f"{name}-{width}-{theme}.png")
                    self.assertTrue(self.driver.save_screenshot(shot))
                    self.assertGreater(os.path.getsize(shot), 20_000)
        browser.resize(self.driver, 1440, 900)
        browser.set_dark(self.driver, False, reduced_motion=True)


if __name__ == "__main__":
    if browser.missing():
        print(f"skipped: {browser.missing()}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
