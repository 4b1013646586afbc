"""The chart of memory over time, and ranges of it."""

import page_testing
from page_testing import PageTest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


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

    def test_marks_and_births_stand_where_they_were(self):
        self.open()
        moments = self.run_script("return memlens.timeline.moments()")
        self.assertIn({"seconds": 12.5, "text": "mark: warm", "kind": "mark"}, moments)
        births = [m for m in moments if m["kind"] == "process"]
        self.assertEqual([(m["seconds"], m["text"]) for m in births],
                         [(9.0, "process 4002 forked: worker")])
        # Threads that were there from the start of a process are no births.
        self.assertEqual(len([m for m in moments if m["kind"] == "thread"]), 4)
        drawn = self.run_script("""
            const { timeline } = memlens;
            const context = timeline.canvas.getContext('2d', { willReadFrequently: true });
            const column = (seconds) => {
              const x = Math.round(timeline.xOf(seconds));
              return [...context.getImageData(x, 16, 1, 4).data].join();
            };
            return column(12.5) !== column(20);""")
        self.assertTrue(drawn)
        canvas = self.find("#timeline canvas")
        x = self.run_script("return memlens.timeline.xOf(12.5)") - canvas.size["width"] / 2
        ActionChains(self.driver).move_to_element_with_offset(canvas, int(x), 0).perform()
        self.assertIn("mark: warm", self.text(".timeline-readout"))

    def test_many_marks_are_ticks_and_none_is_nothing(self):
        column_sums = """
            const { timeline, capture } = memlens;
            capture.about.marks = arguments[0];
            timeline.momentList = null;
            timeline.draw();
            const { canvas } = timeline;
            const { data } = canvas.getContext('2d').getImageData(0, 40, canvas.width, 1);
            return data.reduce((a, b) => a + b, 0);"""
        self.open()
        many = [{"seconds": 0.4 * i, "name": f"mark {i}"} for i in range(100)]
        none = self.run_script(column_sums, [])
        self.assertEqual(self.run_script(column_sums, many), none, "ticks stay at the top")
        self.assertNotEqual(self.run_script(column_sums, many[20:24]), none)

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

    def test_a_bars_curve_is_its_part_of_the_peak_inside_each_bucket(self):
        self.open("view=allocations")
        self.assertFalse(self.find("#selected-legend").is_displayed())
        bar = self.run_script("""
            const { tree, flame } = memlens;
            let node = [...tree.children(0)][0];
            flame.selected = node;
            memlens.select(node);
            return { node, curve: [...memlens.timeline.selected], path: tree.frame(node) };""")
        self.assertTrue(self.find("#selected-legend").is_displayed())
        self.assertEqual(len(bar["curve"]), 64)
        self.assertGreater(max(bar["curve"]), 0)
        self.assertGreater(len(set(bar["curve"])), 3)
        for bucket in (0, 7, 20, 41, 63):
            inside = self.run_script("""
                memlens.update({ view: 'peak', range: [arguments[0], arguments[0] + 1] });
                const { tree } = memlens;
                const node = [...tree.children(0)].find((child) => tree.frame(child) === arguments[1]);
                return node === undefined ? 0 : tree.total(node);""", bucket, bar["path"])
            self.assertEqual(bar["curve"][bucket], inside, bucket)
        # The same bar, the same curve, whatever view and range are looked at; none for all of it.
        self.assertEqual(self.run_script("""
            const { tree } = memlens;
            memlens.select([...tree.children(0)].find((child) => tree.frame(child) === arguments[0]));
            return [...memlens.timeline.selected];""", bar["path"]), bar["curve"])
        self.assertRegex(self.text("#over-time"), r"at most [\d.]+.[kMG]?B at [\d.]+")
        self.run_script("memlens.select(0)")
        self.assertIsNone(self.run_script("return memlens.timeline.selected"))
        self.assertEqual(self.driver.find_elements(By.ID, "over-time"), [])


if __name__ == "__main__":
    page_testing.main()
