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
