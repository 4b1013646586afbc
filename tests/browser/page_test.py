"""The page itself, in a real browser, fed with made-up captures: every control does what it says,
nothing is counted twice, hostile names stay text, and nothing leaves the page."""

import os
import subprocess
import sys
import tempfile
import time
import unittest

SKIPPED = 77
try:
    import browser
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(SKIPPED)

BUILD = os.environ["MEMLENS_BUILD"]
SYNTHETIC_PAGE = os.path.join(BUILD, "bin", "memlens_synthetic_page")

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


class PageTest(unittest.TestCase):
    nodes = 3000
    kind = ""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="memlens-page-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.path = os.path.join(cls.directory.name, "page.html")
        subprocess.run([SYNTHETIC_PAGE, str(cls.nodes), cls.path, cls.kind], check=True)
        cls.driver = cls.enterClassContext(browser.chromium())
        browser.set_dark(cls.driver, False, reduced_motion=True)

    def open(self, fragment="view=allocations"):
        browser.open_page(self.driver, self.path, fragment)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.driver.execute_script(
            "return document.querySelector(arguments[0]).textContent", selector)

    def run_script(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def state(self, name):
        return self.run_script("return memlens.state[arguments[0]]", name)

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def click(self, selector):
        self.find(selector).click()

    def choose(self, name, value):
        self.run_script("document.querySelector(arguments[0]).click()",
                        f"input[name={name}][value={value}]")

    def tick(self, box):
        self.run_script("document.getElementById(arguments[0]).click()", box)

    def root_total(self):
        return self.run_script("return memlens.tree.total(0)")

    def wait_for(self, script, *arguments):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if self.run_script(script, *arguments):
                return
            time.sleep(0.02)
        self.fail(f"never true: {script}")

    def click_bar(self, depth, fraction):
        """Clicks in the graph: a row, and where in its width."""
        canvas = self.find("#flame canvas")
        width, height = canvas.size["width"], canvas.size["height"]
        ActionChains(self.driver).move_to_element_with_offset(
            canvas, int(width * (fraction - 0.5)), int(21 * (depth + 0.5) - height / 2)
        ).click().perform()


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

    def test_help_lists_the_keys_and_closes(self):
        self.open()
        self.press("?")
        self.assertTrue(self.run_script("return document.getElementById('help-dialog').open"))
        self.press(Keys.ESCAPE)
        self.assertFalse(self.run_script("return document.getElementById('help-dialog').open"))

    def test_details_can_be_put_away(self):
        self.open()
        self.click("#toggle-panel")
        self.assertFalse(self.find("#panel").is_displayed())
        self.press("p")
        self.assertTrue(self.find("#panel").is_displayed())


class Zoom(PageTest):
    def test_a_click_zooms_and_escape_and_back_return(self):
        self.open()
        self.click_bar(1, 0.02)
        self.assertEqual(self.run_script("return memlens.tree.parent(memlens.flame.focus)"), 0)
        self.assertIn("zoom=", self.driver.current_url)
        crumbs = self.driver.find_elements(By.CSS_SELECTOR, "#breadcrumb button")
        self.assertEqual(len(crumbs), 2)
        self.press(Keys.ESCAPE)
        self.assertEqual(self.run_script("return memlens.flame.focus"), 0)
        self.driver.back()
        self.wait_for("return memlens.flame.focus !== 0")
        self.driver.find_elements(By.CSS_SELECTOR, "#breadcrumb button")[0].click()
        self.assertEqual(self.run_script("return memlens.flame.focus"), 0)

    def test_the_address_brings_back_view_and_zoom(self):
        self.open("view=allocations&metric=blocks")
        self.click_bar(1, 0.02)
        path = self.run_script("return memlens.zoomPath()")
        fragment = self.driver.current_url.split("#", 1)[1]
        self.open(fragment)
        self.assertEqual(self.run_script("return memlens.zoomPath()"), path)
        self.assertEqual(self.state("metric"), "blocks")

    def test_the_graph_works_by_keyboard_alone(self):
        self.open()
        self.find("#flame canvas").send_keys(Keys.ARROW_DOWN)
        self.press(Keys.ARROW_DOWN)
        selected = self.run_script("return memlens.flame.selected")
        self.assertEqual(self.run_script("return memlens.tree.parent(arguments[0])", selected), 0)
        self.press(Keys.ARROW_RIGHT)
        right = self.run_script("return memlens.flame.selected")
        self.assertNotEqual(right, selected)
        self.press(Keys.ARROW_LEFT)
        self.assertEqual(self.run_script("return memlens.flame.selected"), selected)
        self.press(Keys.ENTER)
        self.assertEqual(self.run_script("return memlens.flame.focus"), selected)
        self.assertIn("%", self.text("#announcement"))

    def test_merged_bars_say_how_many_and_sum_up(self):
        self.open()
        wrong, found = self.run_script("""
            const { bars } = memlens.flame;
            const { tree } = memlens;
            let wrong = 0;
            for (const { parent, total, count } of bars.others.values()) {
              const children = [...tree.children(parent)];
              const merged = children.slice(children.length - count);
              if (merged.reduce((sum, child) => sum + tree.total(child), 0) !== total) ++wrong;
            }
            return [wrong, bars.others.size];""")
        self.assertEqual(wrong, 0)
        self.assertGreater(found, 0)

    def test_the_tooltip_follows_the_pointer(self):
        self.open()
        canvas = self.find("#flame canvas")
        ActionChains(self.driver).move_to_element_with_offset(
            canvas, 0, 10 - canvas.size["height"] // 2).perform()
        self.assertTrue(self.find("#tooltip").is_displayed())
        self.assertIn("of the view", self.text("#tooltip"))


class Panel(PageTest):
    def zoomed(self):
        self.open()
        self.click_bar(1, 0.02)

    def test_it_names_the_frame_and_its_share(self):
        self.zoomed()
        name, share = self.run_script("""
            const { tree, capture, flame } = memlens;
            return [capture.functionName(tree.frame(flame.focus)),
                    100 * tree.total(flame.focus) / tree.total(0)];""")
        self.assertEqual(self.text("#panel h2"), name)
        shown = float(self.text("#share-of-view").split()[0])
        self.assertAlmostEqual(shown, share, delta=0.06)

    def test_sizes_add_up_to_the_blocks_allocated_there(self):
        self.open("view=allocations&metric=blocks")
        sizes, blocks = self.run_script("""
            const { capture } = memlens;
            return [capture.sizeBlocks.reduce((a, b) => a + b, 0),
                    capture.cell.blocks.reduce((a, b) => a + b, 0)];""")
        self.assertEqual(sizes, blocks)
        self.assertGreater(len(self.driver.find_elements(By.CSS_SELECTOR, "#size-histogram .amount")), 3)

    def test_copying_gives_the_stack_innermost_first(self):
        self.zoomed()
        self.run_script("""
            window.copied = null;
            Object.defineProperty(navigator, 'clipboard',
              { value: { writeText: async (text) => { window.copied = text; } } });""")
        self.click("#copy-stack")
        self.wait_for("return window.copied !== null")
        self.assertIn(self.text("#panel h2"), self.run_script("return window.copied").split("\n")[0])

    def test_the_editors_address_is_configurable_and_never_a_script(self):
        self.zoomed()
        href = self.find("#open-editor").get_attribute("href")
        self.assertRegex(href, r"^vscode://file/+srv/project/app/.*\.py:\d+$")
        set_template = """
            const input = document.getElementById('editor-template');
            input.value = arguments[0];
            input.dispatchEvent(new Event('change'));"""
        self.run_script(set_template, "idea://open?file={path}&line={line}")
        self.assertRegex(self.find("#open-editor").get_attribute("href"), r"^idea://open\?file=")
        self.run_script(set_template, "javascript:alert(1)//{path}")
        self.assertEqual(self.driver.find_elements(By.CSS_SELECTOR, "#open-editor"), [])
        self.run_script("localStorage.clear()")


class Search(PageTest):
    def test_a_match_on_a_stack_counts_once(self):
        self.open("view=allocations&query=^(load|parse)_")
        shown, expected = self.run_script("""
            const { callTree, capture, matches } = memlens;
            let expected = 0;
            for (let node = 0; node < callTree.nodeCount; ++node) {
              for (let at = node; at > 0; at = callTree.parents[at]) {
                if (matches[callTree.frames[at]]) { expected += callTree.own[node]; break; }
              }
            }
            return [document.getElementById('search-result').textContent, expected / callTree.total(0)];
            """)
        self.assertGreater(expected, 0)
        self.assertAlmostEqual(float(shown.split(",")[1].split()[0]), 100 * expected, delta=0.06)

    def test_typing_searches_and_escape_clears(self):
        self.open()
        self.press("/")
        self.press("merge_rows")
        self.wait_for("return memlens.matches !== null")
        self.assertIn("%", self.text("#search-result"))
        self.press(Keys.ESCAPE)
        self.wait_for("return memlens.matches === null")

    def test_the_inverted_graph_finds_the_same_total(self):
        self.open("view=allocations&query=render")
        total = self.text("#search-result")
        self.press("i")
        self.assertEqual(self.text("#search-result"), total)

    def test_a_broken_expression_is_searched_as_text(self):
        self.open("view=allocations&query=" + "load_(")
        self.assertEqual(self.text("#search-result"), "no match")

    def test_nothing_found_says_so(self):
        self.open("view=allocations&query=nosuchfunction")
        self.assertEqual(self.text("#search-result"), "no match")


class TableAndSandwich(PageTest):
    def test_only_rows_in_view_exist(self):
        self.open("view=allocations&mode=table&group=line")
        rows = self.run_script("return memlens.table.rows.length")
        elements = len(self.driver.find_elements(By.CSS_SELECTOR, "#table-rows .table-row"))
        self.assertGreater(rows, 300)
        self.assertLess(elements, 60)

    def test_own_sums_to_the_view_in_every_grouping(self):
        for group in ("function", "line", "file", "module"):
            self.open(f"view=allocations&mode=table&group={group}")
            own, total = self.run_script("""
                return [memlens.table.rows.reduce((sum, row) => sum + row.own, 0),
                        memlens.callTree.total(0)];""")
            # The root and the bar of hidden frames are no code.
            self.assertLessEqual(own, total)
            self.assertGreater(own, 0.9 * total)

    def test_a_total_counts_recursion_once(self):
        self.open("view=allocations&mode=table&group=function")
        wrong = self.run_script("""
            const { callTree, table, state } = memlens;
            const { groupOf } = table.grouping('function');
            return table.rows.slice(0, 40).filter((row) => {
              const group = groupOf[row.frame];
              let sum = 0;
              for (let node = 0; node < callTree.nodeCount; ++node) {
                for (let at = node; at >= 0; at = callTree.parents[at]) {
                  if (groupOf[callTree.frames[at]] === group) { sum += callTree.own[node]; break; }
                }
              }
              return sum !== row.total;
            }).length;""")
        self.assertEqual(wrong, 0)

    def test_headings_sort_and_turn_round(self):
        self.open("view=allocations&mode=table")
        heads = "#table-header [role=columnheader] button"
        self.driver.find_elements(By.CSS_SELECTOR, heads)[3].click()
        self.assertEqual(self.state("sort"), "total")
        totals = self.run_script("return memlens.table.rows.map((row) => row.total)")
        self.assertEqual(totals, sorted(totals, reverse=True))
        self.driver.find_elements(By.CSS_SELECTOR, heads)[3].click()
        totals = self.run_script("return memlens.table.rows.map((row) => row.total)")
        self.assertEqual(totals, sorted(totals))
        self.driver.find_elements(By.CSS_SELECTOR, heads)[0].click()
        names = self.run_script("return memlens.table.rows.map((row) => row.name)")
        self.assertEqual(names, sorted(names))

    def test_the_filter_keeps_matching_rows(self):
        self.open("view=allocations&mode=table&filter=^merge")
        names = self.run_script("return memlens.table.rows.map((row) => row.name)")
        self.assertGreater(len(names), 0)
        self.assertTrue(all(name.startswith("merge") for name in names))

    def test_a_row_shows_callers_and_callees_that_sum_to_it(self):
        self.open("view=allocations&mode=table&sort=total")
        self.driver.find_elements(By.CSS_SELECTOR, "#table-rows .table-row")[3].click()
        self.assertTrue(self.find("#sandwich").is_displayed())
        row, callers, callees = self.run_script("""
            const { sandwich, table } = memlens;
            return [table.rows[3].total, sandwich.callers.tree.total(0), sandwich.callees.tree.total(0)];
            """)
        self.assertEqual([callers, callees], [row, row])
        self.assertIn("row=", self.driver.current_url)

    def test_rows_work_by_keyboard(self):
        self.open("view=allocations&mode=table")
        self.find("#table-scroller").send_keys(Keys.ARROW_DOWN)
        self.press(Keys.ARROW_DOWN)
        self.assertEqual(self.run_script("return memlens.table.selected"), 1)
        self.press(Keys.END)
        self.assertEqual(self.run_script("return memlens.table.selected + 1"),
                         self.run_script("return memlens.table.rows.length"))

    def test_the_panel_leads_to_callers_and_callees(self):
        self.open()
        self.click_bar(1, 0.02)
        name = self.text("#panel h2")
        self.click("#show-callers")
        self.assertEqual(self.state("mode"), "table")
        self.assertTrue(self.text("#sandwich-title").startswith(name))


class Time(PageTest):
    def drag(self, start, end):
        canvas = self.find("#timeline canvas")
        width = canvas.size["width"]
        left = 64 - width / 2
        plot = width - 64 - 12
        ActionChains(self.driver).move_to_element_with_offset(
            canvas, int(left + plot * start), 0).click_and_hold().move_by_offset(
            int(plot * (end - start) / 2), 5).move_by_offset(
            int(plot * (end - start) / 2), -5).release().perform()

    def expected(self, first, end):
        """The four answers for a range of buckets, straight from the cells' definition."""
        return self.run_script("""
            const [first, end] = arguments;
            const { capture } = memlens;
            let high = first;
            for (let b = first; b < end; ++b) {
              if (capture.bucketHighs[b] > capture.bucketHighs[high]) high = b;
            }
            const sums = { peak: 0, leaks: 0, temporary: 0, allocations: 0 };
            capture.temporaryBucket.forEach((bucket, i) => {
              if (bucket >= first && bucket < end) sums.temporary += capture.temporary.bytes[i];
            });
            for (let i = 0; i < capture.cellAllocated.length; ++i) {
              const from = capture.cellAllocated[i];
              const to = capture.cellRemoved[i];
              const bytes = capture.cell.bytes[i];
              if (from <= 2 * high + 1 && to >= 2 * high + 2) sums.peak += bytes;
              const inside = from >= 2 * first + 1 && from <= 2 * end;
              if (inside) sums.allocations += bytes;
              if (inside && to > 2 * end) sums.leaks += bytes;
            }
            return sums;""", first, end)

    def test_dragging_selects_a_range_and_everything_follows(self):
        self.open()
        self.drag(0.25, 0.5)
        first, end = self.state("range")
        self.assertAlmostEqual(first, 16, delta=1)
        self.assertAlmostEqual(end, 32, delta=1)
        expected = self.expected(first, end)
        for key, view in (("1", "peak"), ("2", "leaks"), ("3", "temporary"), ("4", "allocations")):
            self.press(key)
            self.assertEqual(self.root_total(), expected[view], view)
        self.assertEqual(self.text("#view-leaks .view-title"), "Retained")
        self.click("#clear-range")
        self.assertIsNone(self.state("range"))
        self.assertEqual(self.text("#view-leaks .view-title"), "Still allocated")

    def test_the_peak_inside_a_range_is_the_charts(self):
        self.open("view=peak&range=5.20")
        first, end = 5, 20
        highest = self.run_script(
            "return Math.max(...memlens.capture.bucketHighs.slice(arguments[0], arguments[1]))",
            first, end)
        self.assertEqual(self.root_total(), highest)

    def test_handles_move_by_keyboard(self):
        self.open()
        handles = self.driver.find_elements(By.CSS_SELECTOR, ".range-handle")
        handles[0].send_keys(Keys.ARROW_RIGHT)
        self.assertEqual(self.state("range"), [1, 64])
        handles[1].send_keys(Keys.SHIFT, Keys.ARROW_LEFT)
        self.assertEqual(self.state("range"), [1, 54])
        self.assertEqual(handles[1].get_attribute("aria-valuenow"), "54")
        handles[0].send_keys(Keys.DELETE)
        self.assertIsNone(self.state("range"))

    def test_the_chart_reads_out_what_is_under_the_pointer(self):
        self.open()
        canvas = self.find("#timeline canvas")
        ActionChains(self.driver).move_to_element(canvas).perform()
        readout = self.text(".timeline-readout")
        self.assertRegex(readout, r"heap [\d.]+.[kMG]?B")
        self.assertIn("untracked", readout)


class HostileNames(PageTest):
    kind = "hostile"

    def test_names_are_text_and_nothing_else(self):
        for fragment in ("view=allocations", "view=allocations&mode=table", "inverted=1&split=thread"):
            self.open(fragment)
            self.click_bar(1, 0.02) if "table" not in fragment else self.driver.find_elements(
                By.CSS_SELECTOR, "#table-rows .table-row")[0].click()
            time.sleep(0.1)
            self.assertIsNone(self.run_script("return window.hacked ?? null"))
            self.assertEqual(self.run_script("return document.querySelectorAll('img').length"), 0)
            self.assertEqual(self.run_script("return document.scripts.length"), 1)
            self.assertEqual([m for m in browser.console(self.driver) if "favicon" not in m], [])

    def test_the_file_holds_no_name_of_the_capture(self):
        with open(self.path, "rb") as file:
            page = file.read()
        self.assertNotIn(b"hacked", page)
        self.assertNotIn(b"onerror", page)
        self.assertEqual(page.count(b"</script>"), 2)

    def test_names_that_objects_have_anyway_are_names(self):
        self.open("view=allocations&mode=table&filter=^(__proto__|constructor)")
        self.assertGreater(self.run_script("return memlens.table.rows.length"), 1)


class Isolation(PageTest):
    def test_nothing_is_requested_but_the_page(self):
        self.open()
        browser.requested_addresses(self.driver)
        self.open("view=leaks")
        self.click_bar(1, 0.02)
        self.press("i")
        self.press("t")
        time.sleep(0.3)
        asked = [a for a in browser.requested_addresses(self.driver)
                 if not a.startswith(("about:", "chrome:"))]
        self.assertEqual({address.split("#")[0] for address in asked},
                         {"file://" + os.path.realpath(self.path)})

    def test_the_policy_lets_no_request_and_no_other_script_through(self):
        self.open()
        outcome = self.driver.execute_async_script("""
            const done = arguments[arguments.length - 1];
            const outcome = {};
            try { eval('1'); outcome.evaluated = true; } catch { outcome.evaluated = false; }
            try {
              const script = document.createElement('script');
              script.text = 'window.injected = true';
              document.body.append(script);
            } catch {}
            outcome.injected = window.injected === true;
            fetch('file:///etc/hostname').then(() => { outcome.fetched = true; done(outcome); },
                                               () => { outcome.fetched = false; done(outcome); });
            """)
        self.assertEqual(outcome["fetched"], False)
        self.assertEqual(outcome["injected"], False)


class Accessibility(PageTest):
    def test_every_control_has_a_name(self):
        self.open()
        nameless = self.run_script("""
            const controls = document.querySelectorAll('button, input, summary, a, [tabindex]');
            return [...controls].filter((control) => !(control.textContent.trim()
              || control.getAttribute('aria-label') || control.labels?.length || control.title))
              .map((control) => control.outerHTML.slice(0, 80));""")
        self.assertEqual(nameless, [])

    def test_text_has_enough_contrast_in_both_themes(self):
        contrast = """
            const luminance = (color) => {
              const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
              context.fillStyle = color;
              context.fillRect(0, 0, 1, 1);
              const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((v) => {
                const c = v / 255;
                return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
              });
              return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const ratio = (a, b) => {
              const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
              return (high + 0.05) / (low + 0.05);
            };
            const { palette } = memlens;
            const style = getComputedStyle(document.documentElement);
            const read = (name) => style.getPropertyValue(name);
            const pairs = [['ink', 'surface'], ['quiet', 'surface'], ['quiet', 'sunken'],
                           ['accent', 'surface'], ['accent-ink', 'accent'], ['warning', 'warning-soft'],
                           ['mark', 'surface'], ['accent', 'accent-soft']];
            const low = pairs.map(([a, b]) => [a, b, ratio(read('--' + a), read('--' + b))])
            for (const [kind, shades] of Object.entries(palette.bars)) {
              for (const shade of shades) {
                low.push(['text', kind, ratio(palette.text, shade)]);
                low.push(['quiet text', kind, ratio(palette.quietText, shade)]);
              }
            }
            return low.filter((pair) => pair[2] < 4.5);"""
        self.open()
        self.assertEqual(self.run_script(contrast), [])
        self.press("d")
        self.assertEqual(self.run_script(contrast), [])
        self.press("d")

    def test_tab_goes_through_the_controls_in_reading_order(self):
        self.open()
        seen = []
        for _ in range(18):
            self.press(Keys.TAB)
            seen.append(self.run_script("""
                const active = document.activeElement;
                return active.id || active.name || active.className || active.tagName;"""))
        wanted = ["theme", "range-handle is-idle", "view-peak", "metric", "mode", "SUMMARY", "search"]
        positions = [seen.index(name) for name in wanted]
        self.assertEqual(positions, sorted(positions))

    def test_printing_is_light_whatever_the_theme(self):
        self.open()
        self.press("d")
        self.run_script("window.dispatchEvent(new Event('beforeprint'))")
        self.assertEqual(self.run_script("return document.documentElement.dataset.theme"), "light")
        self.run_script("window.dispatchEvent(new Event('afterprint'))")
        self.assertEqual(self.run_script("return document.documentElement.dataset.theme"), "dark")
        self.press("d")


if __name__ == "__main__":
    if browser.missing():
        print(f"skipped: {browser.missing()}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
