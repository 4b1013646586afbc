"""The table, and the callers and callees of a row."""

import page_testing
from page_testing import PageTest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


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
        share = self.run_script("return 100 * memlens.table.rows[3].total / memlens.callTree.total(0)")
        self.assertAlmostEqual(float(self.text("#share-of-view").split()[0]), share, delta=0.06)
        canvas = self.find("#callees canvas")
        ActionChains(self.driver).move_to_element_with_offset(
            canvas, 0, 10 - canvas.size["height"] // 2).perform()
        node, whole = self.run_script("""
            const { sandwich, callTree } = memlens;
            return [sandwich.callees.tree.total(sandwich.callees.hovered), callTree.total(0)];""")
        self.assertIn(f"{100 * node / whole:.1f}"[:3], self.text("#tooltip"))
        self.assertIn("row=", self.driver.current_url)

    def test_escape_leads_back_from_a_zoom_below_the_table(self):
        self.open("view=allocations&mode=table&sort=total")
        self.driver.find_elements(By.CSS_SELECTOR, "#table-rows .table-row")[3].click()
        self.find("#callees canvas").send_keys(Keys.ARROW_DOWN)
        self.press(Keys.ARROW_DOWN)
        self.press(Keys.ENTER)
        self.assertNotEqual(self.run_script("return memlens.sandwich.callees.focus"), 0)
        self.press(Keys.ESCAPE)
        self.assertEqual(self.run_script("return memlens.sandwich.callees.focus"), 0)

    def test_rows_work_by_keyboard(self):
        self.open("view=allocations&mode=table")
        self.find("#table").send_keys(Keys.ARROW_DOWN)
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


if __name__ == "__main__":
    page_testing.main()
