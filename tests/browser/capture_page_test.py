"""Pages of real captures: what they show against --json, and what the command's options do."""

import collections
import json
import os

import capture_testing
from capture_testing import CapturePageTest, PROGRAM, SYSTEM_PYTHON, page_data
from memlens_testing import BUILD, VIEWS


# Into itself, into each other, and again below somebody else.
RECURSION = """
def descend(depth):
    return [bytes(500 + depth)] + (descend(depth - 1) if depth else visit(2))

def even(n):
    return [bytearray(300)] + (odd(n - 1) if n else [])

def odd(n):
    return [bytearray(700)] + (even(n - 1) if n else descend(1))

def visit(n):
    return [bytes(900)] + (visit(n - 1) if n else [])

kept = [descend(6), even(5), odd(4), visit(3)]
"""


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

    def test_a_program_s_own_pools(self):
        """Also a pool within a pool, whose blocks have each other's addresses."""
        for command in ([os.path.join(BUILD, "examples", "particle_pools")],
                        [self.program("pools"), "nest"], [self.program("pools"), "churn"]):
            capture = self.record(command)
            with self.subTest(command=command):
                self.check_views(capture)
                self.check_heaps(capture)

    def check_heaps(self, capture):
        """The page's sums of each heap in each view, and what it says of the selected frame."""
        path = self.page(capture, "--budget", "1000000")
        heaps = self.summary(capture)["by_allocator"]
        self.assertTrue([name for name in heaps if name.startswith("pool ")])
        for view, member in (("allocations", "allocated_bytes"), ("peak", "peak_bytes"),
                             ("leaks", "leaked_bytes")):
            self.open(path, f"view={view}&hideImports=0&hideInternals=0")
            shown = self.run_script("""
                const { capture, values } = memlens;
                const sums = {};
                for (let site = 0; site < capture.siteCount; ++site) {
                  const { allocator } = capture.allocationKinds[capture.siteKind[site]];
                  sums[allocator] = (sums[allocator] ?? 0) + values.bytes[site];
                }
                return sums;""")
            self.assertEqual({name: size for name, size in shown.items() if size},
                             {name: heap[member] for name, heap in heaps.items() if heap[member]})

    def test_a_process_and_a_part_of_the_time(self):
        capture = self.record_program()
        pid = json.loads(self.memlens("peak", capture, "--json").stdout)["stacks"][0]["pid"]
        self.check_views(capture, "--pid", pid, "--from", "0.05", "--to", "0.15")

    def test_native_programs_and_their_trees_of_processes(self):
        self.check_views(self.record([self.program("process_tree"), "fork"]))

    def test_callers_and_callees_of_recursive_functions(self):
        """Against stacks: what stands above and below the outermost occurrence on each."""
        capture = self.record([SYSTEM_PYTHON, self.script(RECURSION, "recursion.py")])
        report = self.stacks("allocations", capture)
        self.open(self.page(capture), "view=allocations&mode=table&hideImports=0&hideInternals=0")
        for name in ("descend", "even", "odd", "visit"):
            total, own = 0, 0
            callers, callees = collections.Counter(), collections.Counter()
            for stack in report["stacks"]:
                frames = [frame["function"] for frame in reversed(stack["frames"])]  # root first
                if name not in frames:
                    continue
                outermost = frames.index(name)
                total += stack["bytes"]
                own += stack["bytes"] if frames[-1] == name else 0
                callers[frames[outermost - 1]] += stack["bytes"]
                if outermost + 1 < len(frames):
                    callees[frames[outermost + 1]] += stack["bytes"]
            shown = self.run_script("""
                const { table, sandwich, capture } = memlens;
                const i = table.rows.findIndex((row) => row.name === arguments[0]);
                table.pick(i);
                const sums = ({ tree }) => {
                  const byName = {};
                  for (const node of tree.children(0)) {
                    const name = capture.functionName(tree.frame(node));
                    byName[name] = (byName[name] ?? 0) + tree.total(node);
                  }
                  return byName;
                };
                return { total: table.rows[i].total, own: table.rows[i].own,
                         callers: sums(sandwich.callers), callees: sums(sandwich.callees),
                         sandwich: sandwich.callees.tree.total(0) };""", name)
            with self.subTest(function=name):
                self.assertGreater(total, 0)
                self.assertEqual(shown["total"], total)
                self.assertEqual(shown["own"], own)
                self.assertEqual(shown["sandwich"], total)
                self.assertEqual(shown["callers"], dict(callers))
                self.assertEqual(shown["callees"], dict(callees))

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
        self.assertIn("RSS at the peak", facts)
        resident = self.run_script("return memlens.capture.about.resident")
        self.assertEqual(resident["at_peak"], summary["rss_at_peak_bytes"])
        self.assertEqual(resident["untracked"], summary["untracked_at_peak_bytes"])
        self.assertEqual(resident.get("parts", {}).get("files"),
                         (summary["rss_at_peak_parts"] or {}).get("file_bytes"))
        shutdowns = self.run_script("return memlens.capture.about.shutdowns")
        self.assertEqual(len(shutdowns), 1)
        self.assertLess(shutdowns[0]["seconds"], summary["duration_seconds"])
        self.assertGreaterEqual(shutdowns[0]["seconds"], summary["peak_seconds"])
        command = self.run_script("return document.getElementById('command').textContent")
        self.assertEqual(command, " ".join(summary["command"]))


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


if __name__ == "__main__":
    capture_testing.main()
