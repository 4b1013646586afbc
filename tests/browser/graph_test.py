"""The graph: zooming, the panel beside it, and search."""

import page_testing
from page_testing import PageTest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


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

    def wheel(self, fraction, **event):
        """A turn of the wheel over the graph, so far from its left; whether the page kept it."""
        return self.run_script("""
            const [fraction, event] = arguments;
            const { canvas } = memlens.flame;
            const { left, top, width } = canvas.getBoundingClientRect();
            return canvas.dispatchEvent(new WheelEvent('wheel', {
              bubbles: true, cancelable: true, clientX: left + fraction * width, clientY: top + 30,
              ...event }));""", fraction, event)

    def window(self):
        return self.run_script("""
            const { window, tree } = memlens.flame;
            const whole = tree.total(0);
            return [window.from / whole, window.to / whole];""")

    def test_the_wheel_zooms_around_the_pointer_and_pans(self):
        self.open()
        self.assertFalse(self.find("#minimap").is_displayed())
        self.assertTrue(self.wheel(0.25, deltaY=100), "a plain wheel scrolls")
        self.assertEqual(self.window(), [0, 1])
        self.assertFalse(self.wheel(0.25, deltaY=-200, ctrlKey=True))
        first, end = self.window()
        self.assertLess(end - first, 0.7)
        # A pointer stands on a whole pixel.
        self.assertAlmostEqual(first + 0.25 * (end - first), 0.25, delta=0.001)
        self.assertFalse(self.wheel(0.5, deltaY=50, shiftKey=True))
        self.assertGreater(self.window()[0], first)
        self.assertAlmostEqual(self.window()[1] - self.window()[0], end - first, places=9)
        # No further than to the end.
        for _ in range(60):
            self.wheel(0.5, deltaX=400)
        self.assertAlmostEqual(self.window()[1], 1, places=9)
        for _ in range(30):
            self.wheel(0.5, deltaY=400, ctrlKey=True)
        self.assertEqual(self.window(), [0, 1])

    def test_a_drag_moves_the_zoomed_graph_and_chooses_no_bar(self):
        self.open()
        self.wheel(0.5, deltaY=-500, ctrlKey=True)
        before = self.window()
        canvas = self.find("#flame canvas")
        ActionChains(self.driver).move_to_element_with_offset(canvas, 0, 10 - canvas.size["height"] // 2) \
            .click_and_hold().move_by_offset(-60, 0).move_by_offset(-60, 0).release().perform()
        after = self.window()
        self.assertAlmostEqual(after[0] - before[0],
                               (before[1] - before[0]) * 120 / canvas.size["width"], places=3)
        self.assertEqual(self.run_script("return memlens.flame.focus"), 0)
        self.press(Keys.ESCAPE)
        self.wait_for("return !memlens.flame.isFree() && !memlens.flame.animation")
        self.assertEqual(self.window(), [0, 1])

    def test_the_minimap_shows_the_window_and_moves_it(self):
        self.open()
        self.wheel(0.1, deltaY=-900, ctrlKey=True)
        self.wait_for("return !document.getElementById('minimap').hidden")
        first, end = self.window()
        drawn = self.run_script("""
            const { canvas } = memlens.minimap;
            const row = canvas.getContext('2d').getImageData(0, 2, canvas.width, 1).data;
            return new Set(Array.from({ length: canvas.width }, (_, i) =>
              row.slice(4 * i, 4 * i + 4).join())).size;""")
        self.assertGreater(drawn, 1)
        minimap = self.find("#minimap canvas")
        ActionChains(self.driver).move_to_element(minimap).click().perform()
        moved = self.window()
        self.assertAlmostEqual((moved[0] + moved[1]) / 2, 0.5, delta=0.01)
        self.assertAlmostEqual(moved[1] - moved[0], end - first, places=9)

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
        self.assertEqual(self.text("#search-result"),
                         "no match (no valid expression: searched as text)")

    def test_nothing_found_says_so(self):
        self.open("view=allocations&query=nosuchfunction")
        self.assertEqual(self.text("#search-result"), "no match")


if __name__ == "__main__":
    page_testing.main()
