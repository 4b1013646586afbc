"""Back and Forward, one search for graph and table, narrow windows, paper."""

import browser
import page_testing
from page_testing import PageTest


class Navigation(PageTest):
    def expect_state(self, **expected):
        for name, value in expected.items():
            self.wait_for("return JSON.stringify(memlens.state[arguments[0]]) === "
                          "JSON.stringify(arguments[1])", name, value)

    def test_back_and_forward_step_through_view_range_search_and_zoom(self):
        self.open("")
        self.run_script("memlens.update({ view: 'leaks' })")
        self.run_script("memlens.update({ range: [1, 5] })")
        self.run_script("memlens.update({ query: 'a' })")
        self.run_script("memlens.zoomTo(memlens.tree.children(0)[0])")
        zoom = self.state("zoom")
        self.assertIsNotNone(zoom)
        self.driver.back()
        self.expect_state(zoom=None, query="a", range=[1, 5], view="leaks")
        self.driver.back()
        self.expect_state(query="", range=[1, 5], view="leaks")
        self.assertEqual(self.run_script("return document.getElementById('search').value"), "")
        self.driver.back()
        self.expect_state(range=None, view="leaks")
        self.driver.back()
        self.expect_state(view="peak")
        for _ in range(4):
            self.driver.forward()
        self.expect_state(zoom=zoom, query="a", range=[1, 5], view="leaks")
        self.assertEqual(self.run_script("return document.getElementById('search').value"), "a")

    def test_typing_and_dragging_are_one_step_each(self):
        self.open("")
        steps = self.run_script("return history.length")
        for query in ("a", "ab", "abc"):
            self.run_script("memlens.update({ query: arguments[0] })", query)
        self.assertEqual(self.run_script("return history.length"), steps + 1)
        for end in (3, 4, 5):
            self.run_script("memlens.update({ range: [1, arguments[0]] })", end)
        self.assertEqual(self.run_script("return history.length"), steps + 2)
        self.driver.back()
        self.expect_state(range=None, query="abc")
        self.driver.back()
        self.expect_state(query="")

    def test_one_search_marks_bars_and_keeps_rows(self):
        self.open("view=allocations&query=^merge")
        self.assertTrue(self.run_script("return memlens.flame.matches.includes(1)"))
        self.assertEqual(self.run_script("return document.querySelectorAll('input[type=search]').length"), 1)
        self.run_script("memlens.update({ mode: 'table' })")
        names = self.run_script("return memlens.table.rows.map((row) => row.name)")
        self.assertGreater(len(names), 0)
        self.assertTrue(all(name.startswith("merge") for name in names), names)
        self.assertNotEqual(self.text("#search-result"), "")

    def test_an_expression_that_is_none_says_so(self):
        self.open("view=allocations")
        self.run_script("memlens.update({ query: 'a(' })")
        self.assertIn("searched as text", self.text("#search-result") + "")
        self.run_script("memlens.update({ query: 'a' })")
        self.assertNotIn("searched as text", self.text("#search-result"))

    def test_420_pixels_are_enough(self):
        browser.resize(self.driver, 420, 800)
        self.addCleanup(browser.resize, self.driver, 1440, 900)
        for fragment in ("view=allocations", "view=allocations&mode=table",
                         "view=allocations&range=1.4&query=merge"):
            with self.subTest(fragment):
                self.open(fragment)
                self.assertLessEqual(self.run_script("return document.documentElement.scrollWidth"), 420)
                wide = self.run_script("""
                    return [...document.querySelectorAll('#page *')]
                      .filter((each) => each.checkVisibility()
                        && !each.closest('.visually-hidden, .skip')
                        && each.getBoundingClientRect().right > 421
                        && each.getBoundingClientRect().width > 0)
                      .map((each) => each.id || each.className);""")
                self.assertEqual(wide, [])
        self.open("view=allocations&mode=table")
        name, place, row = self.run_script("""
            const row = [...document.querySelectorAll('#table-rows .table-row')]
              .find((each) => each.querySelector('.row-place').textContent);
            return [row.querySelector('.row-name'), row.querySelector('.row-place'), row]
              .map((each) => each.getBoundingClientRect().toJSON());""")
        self.assertGreaterEqual(place["top"], name["bottom"] - 1)  # on a second line
        self.assertLessEqual(place["bottom"], row["bottom"] + 1)

    def test_printing_from_the_table_prints_the_table(self):
        self.open("view=allocations&mode=table&group=file&query=merge")
        rows = self.run_script("return memlens.table.rows.length")
        self.run_script("window.dispatchEvent(new Event('beforeprint'))")
        printed, title, hides = self.run_script("""
            return [document.querySelectorAll('#print-rows tr').length,
              document.getElementById('print-title').textContent,
              document.documentElement.classList.contains('prints-table')];""")
        self.assertEqual(printed, rows + 1)  # and the headings
        self.assertIn("by file that match merge", title)
        self.assertTrue(hides)
        self.run_script("window.dispatchEvent(new Event('afterprint'))")
        self.assertFalse(self.run_script(
            "return document.documentElement.classList.contains('prints-table')"))


if __name__ == "__main__":
    page_testing.main()
