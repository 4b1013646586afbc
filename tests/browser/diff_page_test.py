"""The page of two captures: its numbers are those of `memlens diff --json`, and what differs shows."""

import collections
import json
import os

import browser
import capture_testing
from capture_testing import CapturePageTest, SYSTEM_PYTHON
from memlens_testing import VIEWS

PROGRAM = """
kept = []

def stays():
    kept.append(bytearray(100_000))

def grows(count):
    kept.append([bytearray(10_000) for _ in range(count)])

def gone():
    kept.append(bytearray(400_000))

def comes():
    kept.append(bytearray(300_000))

stays()
grows({count})
{extra}()
"""


class DiffPage(CapturePageTest):
    def record_side(self, name, **parts):
        folder = os.path.join(self.directory, name)
        os.makedirs(folder)
        with open(os.path.join(folder, "app.py"), "w", encoding="utf-8") as file:
            file.write(PROGRAM.format(**parts))
        return self.record([SYSTEM_PYTHON, "-S", "app.py"], cwd=folder)

    def setUp(self):
        super().setUp()
        self.old = self.record_side("old", count=10, extra="gone")
        self.new = self.record_side("new", count=50, extra="comes")

    def diff_page(self, *options):
        path = os.path.join(self.directory, "diff.html")
        self.memlens("diff", self.old, self.new, "--html", path, *options)
        return path

    def bars(self):
        """{function: [before, after]} of all bars of a name, in bytes."""
        rows = self.run_script("""
            const { capture, callTree } = memlens;
            const rows = [];
            for (let node = 1; node < callTree.nodeCount; ++node) {
              rows.push([capture.functionName(callTree.frame(node)),
                callTree.sides[0].own[node], callTree.sides[1].own[node]]);
            }
            return rows;""")
        sums = collections.defaultdict(lambda: [0, 0])
        for function, before, after in rows:
            sums[function][0] += before
            sums[function][1] += after
        return {name: sides for name, sides in sums.items() if sides != [0, 0]}

    def test_every_view_has_the_numbers_of_the_json(self):
        path = self.diff_page()
        for view in VIEWS:
            with self.subTest(view):
                report = json.loads(
                    self.memlens("diff", self.old, self.new, "--json", "--view", view).stdout)
                expected = collections.defaultdict(lambda: [0, 0])
                for stack in report["stacks"]:
                    leaf = expected[stack["frames"][0]["function"]]
                    leaf[0] += stack["old_bytes"]
                    leaf[1] += stack["new_bytes"]
                expected = {name: sides for name, sides in expected.items() if sides != [0, 0]}
                self.open(path, f"view={view}&hideImports=0&hideInternals=0")
                self.assertEqual(self.bars(), expected)
                both = self.run_script("return memlens.callTree.bothOf(0)")
                self.assertEqual((both["before"], both["after"]),
                                 (report["old_bytes"], report["new_bytes"]))

    def color_of(self, function):
        """'red', 'blue' or 'grey' of the bar on the canvas, and its width."""
        red, green, blue, width = self.run_script("""
            const { capture, flame } = memlens;
            flame.draw();
            const { bars, tree } = flame;
            for (let i = 0; i < bars.count; ++i) {
              const node = bars.node[i];
              if (node < 0 || capture.functionName(tree.frame(node)) !== arguments[0]) continue;
              const x = bars.right[i] - 4;
              const y = flame.topOf(bars.depth[i]) + 4;
              const ratio = flame.canvas.width / flame.width;
              const pixel = flame.canvas.getContext('2d').getImageData(x * ratio, y * ratio, 1, 1);
              return [...pixel.data.slice(0, 3), bars.right[i] - bars.left[i]];
            }
            return null;""", function)
        name = "red" if red > blue + 20 else "blue" if blue > red + 20 else "grey"
        return name, width

    def test_more_is_red_less_is_blue_and_one_sided_stacks_are_there(self):
        self.open(self.diff_page("--view", "leaks"))
        self.assertEqual(self.color_of("stays")[0], "grey")
        grown, comes, gone = (self.color_of(name) for name in ("grows", "comes", "gone"))
        self.assertEqual((grown[0], comes[0], gone[0]), ("red", "red", "blue"))
        # As wide as the larger of both: 500 kB, 300 kB, 400 kB.
        self.assertGreater(grown[1], gone[1])
        self.assertGreater(gone[1], comes[1])
        self.assertGreater(comes[1], 50)

    def test_the_panel_the_table_and_search_say_old_new_and_change(self):
        self.open(self.diff_page("--view", "leaks"), "query=gone")
        text = lambda selector: self.run_script(
            "return document.querySelector(arguments[0]).textContent", selector)
        self.assertRegex(text("#search-result"), r"^\u2212400\skB, 400\skB \u2192 0\sB$")
        self.run_script("""
            const { flame, capture } = memlens;
            const bar = [...flame.bars.node.slice(0, flame.bars.count)].find((node) =>
              node >= 0 && capture.functionName(flame.tree.frame(node)) === 'comes');
            memlens.zoomTo(bar);""")
        self.assertRegex(text("#old-amounts"), r"^Old0\sB0$")
        self.assertRegex(text("#new-amounts"), r"^New300\skB[12]$")
        self.assertRegex(text("#changed-amounts"), r"^Change\+300\skB\+[12]$")
        self.open(os.path.join(self.directory, "diff.html"), "view=leaks&mode=table")
        headings = self.run_script(
            "return [...document.querySelectorAll('#table-header .cell')].map((e) => e.textContent)")
        self.assertEqual([h.split()[0] for h in headings], ["Function", "Old", "New", "Change"])
        rows = self.run_script("""
            return memlens.table.rows.map((row) => [row.name, row.before, row.after, row.change]);""")
        changes = [abs(row[3]) for row in rows]
        self.assertEqual(changes, sorted(changes, reverse=True))
        by_name = {row[0]: row[1:] for row in rows}
        self.assertGreaterEqual(by_name["grows"][2], 400_000)
        self.assertEqual(by_name["comes"][0], 0)

    def test_inverted_and_callers_keep_both_sums(self):
        path = self.diff_page("--view", "leaks")
        self.open(path, "view=leaks&inverted=1")
        both = self.run_script("return memlens.tree.bothOf(0)")
        root = self.run_script("return memlens.callTree.bothOf(0)")
        self.assertEqual(both, root)
        self.open(path, "view=leaks&mode=table")
        self.run_script("""
            const row = memlens.table.rows.find((each) => each.name === 'grows');
            memlens.pickRow(row);""")
        both = self.run_script("return memlens.sandwich.callees.tree.bothOf(0)")
        self.assertGreaterEqual(both["after"] - both["before"], 400_000)

    def test_the_page_is_quiet_and_fits(self):
        browser.console(self.driver)  # the browser has a word on other tests' reading of pixels
        self.open(self.diff_page())
        self.assertEqual(browser.console(self.driver), [])
        self.assertFalse(self.run_script(
            "return document.documentElement.scrollWidth > window.innerWidth"))
        self.assertGreater(self.run_script("return document.getElementById('flame').clientHeight"), 300)
        self.assertTrue(self.run_script(
            "return document.querySelector('.timeline-section').offsetParent === null"))
        facts = self.run_script("return document.getElementById('facts').textContent")
        self.assertIn("\u2192", facts)

    def test_420_pixels_are_enough_for_the_table(self):
        browser.resize(self.driver, 420, 800)
        self.addCleanup(browser.resize, self.driver, 1440, 900)
        self.open(self.diff_page(), "view=leaks&mode=table")
        self.assertLessEqual(self.run_script("return document.documentElement.scrollWidth"), 420)
        cut = self.run_script("""
            return [...document.querySelectorAll('#table .cell.number')]
              .filter((each) => each.scrollWidth > each.clientWidth)
              .map((each) => each.textContent);""")
        self.assertEqual(cut, [])

    def test_a_capture_that_was_cut_is_named(self):
        with open(self.old, "r+b") as file:
            file.truncate(os.path.getsize(self.old) * 9 // 10)
        self.open(self.diff_page())
        notes, ending = self.run_script("""
            return [[...document.querySelectorAll('#notes:not([hidden]) li')].map((e) => e.textContent),
              document.getElementById('ending').textContent];""")
        self.assertEqual(len(notes), 1)
        self.assertRegex(notes[0], r"^The old capture .*last complete frame\.$")
        self.assertNotEqual(ending, "complete")

    def test_what_two_captures_have_not_cannot_be_shown(self):
        self.open(self.diff_page(), "mode=growing")
        shown = """return [document.getElementById('graph-page').hidden,
            document.getElementById('growing-page').hidden];"""
        self.assertEqual(self.run_script(shown), [False, True])
        self.run_script(
            "document.dispatchEvent(new KeyboardEvent('keydown', { key: '5', bubbles: true }))")
        self.assertEqual(self.run_script(shown), [False, True])

    def test_a_page_that_exists_is_kept(self):
        path = self.diff_page()
        result = self.memlens("diff", self.old, self.new, "--html", path, code=1)
        self.assertIn("exists already", result.stderr)
        self.memlens("diff", self.old, self.new, "--html", path, "-f")


if __name__ == "__main__":
    capture_testing.main()
