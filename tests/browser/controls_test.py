"""Every control of the page does what it says, and sums stay what they are."""

import page_testing
from page_testing import PageTest
from selenium.webdriver.common.keys import Keys

# Sums in the page from its own columns, apart from the code that draws.
SUM_OF_VIEW = """
const [view, metric] = arguments;
const { capture } = memlens;
let sum = 0;
for (let i = 0; i < capture.cellAllocated.length; ++i) {
  if (view === 'leaks' && capture.cellRemoved[i] !== 0xffff) continue;
  sum += capture.cell[metric][i];
}
return sum;
"""


class Controls(PageTest):
    def test_views_and_units_show_the_sums_of_the_data(self):
        for view in ("leaks", "allocations"):
            for metric in ("bytes", "blocks"):
                with self.subTest(view=view, metric=metric):
                    self.open(f"view={view}&metric={metric}")
                    self.assertEqual(self.root_total(),
                                     self.run_script(SUM_OF_VIEW, view, metric))

    def test_keys_one_to_four_switch_the_view_without_reloading(self):
        self.open()
        self.run_script("window.stillHere = true")
        for key, view in zip("1234", ("peak", "leaks", "temporary", "allocations")):
            self.press(key)
            self.assertEqual(self.state("view"), view)
            pressed = self.find(f"#view-{view}").get_attribute("aria-pressed")
            self.assertEqual(pressed, "true")
        self.assertTrue(self.run_script("return window.stillHere"))

    def test_view_buttons_and_unit_buttons_work(self):
        self.open()
        self.click("#view-leaks")
        self.assertEqual(self.state("view"), "leaks")
        self.choose("metric", "blocks")
        self.assertEqual(self.state("metric"), "blocks")
        self.assertIn("view=leaks", self.driver.current_url)
        self.assertIn("metric=blocks", self.driver.current_url)

    def test_every_way_to_arrange_frames_keeps_the_total(self):
        self.open()
        total = self.root_total()
        for box in ("inverted", "flames", "fold-recursion", "hide-imports", "hide-internals"):
            self.tick(box)
            self.assertEqual(self.root_total(), total, box)
        for split in ("process", "thread", "merged"):
            self.choose("split", split)
            self.assertEqual(self.root_total(), total, split)

    def test_children_never_sum_to_more_than_their_parent_and_own_is_the_rest(self):
        for inverted in (0, 1):
            self.open(f"view=allocations&inverted={inverted}")
            wrong = self.run_script("""
                const { tree } = memlens;
                let wrong = 0;
                const pending = [0];
                for (let seen = 0; pending.length > 0 && seen < 5000; ++seen) {
                  const node = pending.pop();
                  let sum = 0;
                  for (const child of tree.children(node)) {
                    sum += tree.total(child);
                    pending.push(child);
                  }
                  if (sum > tree.total(node)) ++wrong;
                  if (tree === memlens.callTree && sum + tree.ownOf(node) !== tree.total(node)) ++wrong;
                }
                return wrong;""")
            self.assertEqual(wrong, 0)

    def test_hidden_frames_are_in_no_bar_and_shown_ones_are(self):
        count = """
            const kinds = [...memlens.callTree.frames].filter((frame) =>
              memlens.capture.frameIsImport[frame] || memlens.capture.frameKind[frame] === 2);
            return kinds.length;"""
        self.open()
        self.assertEqual(self.run_script(count), 0)
        self.tick("hide-imports")
        self.tick("hide-internals")
        self.assertGreater(self.run_script(count), 100)

    def test_what_hidden_frames_allocated_is_their_callers_own(self):
        wrong = """
            const { capture, callTree, values, state } = memlens;
            const isHidden = (frame) => (state.hideImports && capture.frameIsImport[frame])
              || (state.hideInternals && capture.frameKind[frame] === 2);
            const expected = new Map();
            for (let site = 0; site < capture.siteCount; ++site) {
              let node = capture.siteNode[site];
              while (node > 0 && isHidden(capture.nodeFrame[node])) node = capture.nodeParent[node];
              const frame = node > 0 ? capture.nodeFrame[node] : capture.hiddenFrame;
              expected.set(frame, (expected.get(frame) ?? 0) + values.bytes[site]);
            }
            const found = new Map();
            for (let node = 0; node < callTree.nodeCount; ++node) {
              const frame = callTree.frames[node];
              found.set(frame, (found.get(frame) ?? 0) + callTree.own[node]);
            }
            return [...expected].filter(([frame, own]) => found.get(frame) !== own).length;"""
        for fragment in ("hideImports=0&hideInternals=0", "hideImports=1&hideInternals=0",
                         "hideImports=0&hideInternals=1", "hideImports=1&hideInternals=1",
                         "hideImports=1&hideInternals=1&split=thread"):
            self.open(f"view=allocations&{fragment}")
            self.assertEqual(self.run_script(wrong), 0, fragment)

    def test_folding_recursion_leaves_every_function_its_own(self):
        rows = """
            const { table, callTree, capture } = memlens;
            table.show(callTree, { ...memlens.state, group: 'function' });
            return table.rows.map((row) =>
              [capture.frameFunction[row.frame], capture.frameFile[row.frame], row.own, row.total]);"""
        self.open("view=allocations&mode=table&hideImports=0&hideInternals=0")
        before = sorted(self.run_script(rows))
        self.press("r")
        after = sorted(self.run_script(rows))
        self.assertEqual([row[:3] for row in after if row[2]], [row[:3] for row in before if row[2]])
        total = {tuple(row[:2]): row[3] for row in before}
        for function, file, _, folded in after:
            self.assertLessEqual(folded, total[function, file])

    def test_folding_recursion_leaves_no_function_twice_on_a_stack(self):
        repeated = """
            const { parents, frames, nodeCount } = memlens.callTree;
            const { frameFunction, frameFile } = memlens.capture;
            let repeated = 0;
            for (let node = 1; node < nodeCount; ++node) {
              for (let up = parents[node]; up > 0; up = parents[up]) {
                if (frameFunction[frames[up]] === frameFunction[frames[node]]
                    && frameFile[frames[up]] === frameFile[frames[node]]) { ++repeated; break; }
              }
            }
            return repeated;"""
        self.open()
        self.assertGreater(self.run_script(repeated), 0)
        self.press("r")
        self.assertEqual(self.run_script(repeated), 0)

    def test_splitting_puts_processes_and_threads_on_top(self):
        self.open("view=allocations&split=thread")
        names = self.run_script("""
            const { tree, capture } = memlens;
            const process = tree.children(0)[0];
            return [process, tree.children(process)[0]].map((n) => capture.functionName(tree.frame(n)));
            """)
        self.assertRegex(names[0], r"^process 400\d")
        self.assertRegex(names[1], r"^thread 40\d\d")
        self.press("i")
        top = self.run_script(
            "return memlens.capture.functionName(memlens.tree.frame(memlens.tree.children(0)[0]))")
        self.assertRegex(top, r"^process 400\d")

    def test_the_inverted_graph_shows_each_frames_own_on_top(self):
        self.open("view=allocations&inverted=1")
        wrong = self.run_script("""
            const { tree, callTree } = memlens;
            const own = new Map();
            for (let node = 0; node < callTree.nodeCount; ++node) {
              const frame = callTree.frames[node];
              own.set(frame, (own.get(frame) ?? 0) + callTree.own[node]);
            }
            return [...tree.children(0)].filter((n) => tree.total(n) !== own.get(tree.frame(n))).length;
            """)
        self.assertEqual(wrong, 0)

    def test_bars_filled_by_own_are_full_where_each_byte_was_allocated(self):
        pale_at_root = """
            const { canvas } = memlens.flame;
            const { data } = canvas.getContext('2d').getImageData(canvas.width - 200, 5, 1, 1);
            return [...data];"""
        self.open()
        full = self.run_script(pale_at_root)
        self.choose("fill", "own")
        self.assertEqual(self.state("fill"), "own")
        self.wait_for("return memlens.flame.drawRequest === 0")
        self.assertNotEqual(self.run_script(pale_at_root), full)
        # Own parts and merged bars lie side by side: whichever the column, one of them is there.
        covered, width = self.run_script("""
            const { bars, width } = memlens.flame;
            let covered = 0;
            for (let i = 0; i < bars.count; ++i) {
              covered += bars.right[i] - (bars.node[i] < 0 ? bars.left[i] : bars.ownLeft[i]);
            }
            return [covered, width];""")
        self.assertLessEqual(covered, width + 1e-6)
        self.assertGreater(covered, 0.95 * width)
        self.press("o")
        self.assertEqual(self.state("fill"), "total")
        self.assertEqual(self.run_script(pale_at_root), full)

    def test_options_menu_opens_by_keyboard_and_closes_with_escape(self):
        self.open()
        summary = self.find("details.menu summary")
        summary.send_keys(Keys.ENTER)
        self.assertTrue(self.run_script("return document.querySelector('details.menu').open"))
        self.press(Keys.ESCAPE)
        self.assertFalse(self.run_script("return document.querySelector('details.menu').open"))

    def test_theme_button_turns_dark_and_back(self):
        self.open()
        theme = "return document.documentElement.dataset.theme"
        self.assertEqual(self.run_script(theme), "light")
        self.click("#theme")
        self.assertEqual(self.run_script(theme), "dark")
        self.press("d")
        self.assertEqual(self.run_script(theme), "light")

    def test_help_says_how_to_read_it_lists_the_keys_and_closes(self):
        self.open()
        self.press("?")
        self.assertTrue(self.run_script("return document.getElementById('help-dialog').open"))
        self.assertEqual(self.run_script(
            "return [...document.querySelectorAll('#help-dialog h2')].map((each) => each.textContent)"),
            ["How to read this", "Keys"])
        self.assertTrue(self.run_script("""
            const dialog = document.getElementById('help-dialog');
            return dialog.getBoundingClientRect().height <= innerHeight
              && dialog.scrollWidth <= dialog.clientWidth"""))
        self.press(Keys.ESCAPE)
        self.assertFalse(self.run_script("return document.getElementById('help-dialog').open"))

    def test_details_can_be_put_away(self):
        self.open()
        self.click("#toggle-panel")
        self.assertFalse(self.find("#panel").is_displayed())
        self.press("p")
        self.assertTrue(self.find("#panel").is_displayed())


if __name__ == "__main__":
    page_testing.main()
