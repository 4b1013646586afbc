"""Pages of captures of every kind at two sizes, in light and dark: nothing is too wide or covers
anything else. The pictures are kept in the build, for looking at."""

import os
import shutil

import capture_testing
from capture_testing import CapturePageTest, PROGRAM, SYSTEM_PYTHON, browser

FOLDER = os.path.join(os.environ["MEMLENS_BUILD"], "tests", "browser", "screenshots")

FAMILY = """
import multiprocessing
import threading

def grow(count):
    return len([bytearray(200) for _ in range(count)])

def work(count):
    helper = threading.Thread(target=grow, args=(count,))
    helper.start()
    helper.join()
    return grow(2 * count)

if __name__ == "__main__":
    with multiprocessing.Pool(3) as pool:
        pool.map(work, [1000, 2000, 3000])
"""

# What is in the head and the tools, and covers something else of these.
OVERLAPS = """
const shown = [...document.querySelectorAll(
  'header h1, .command, .badge, .masthead-end, .fact, #notes, .timeline-head > *, #timeline,'
  + ' .toolbar > *, .graph-head > *, .table-head > *')]
  .map((element) => [element, element.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && box.height > 0);
const overlaps = [];
shown.forEach(([a, first], i) => shown.slice(0, i).forEach(([b, second]) => {
  if (a.contains(b) || b.contains(a)) return;
  const across = Math.min(first.right, second.right) - Math.max(first.left, second.left);
  const down = Math.min(first.bottom, second.bottom) - Math.max(first.top, second.top);
  if (across > 0.5 && down > 0.5) overlaps.push([a.outerHTML.slice(0, 60), b.outerHTML.slice(0, 60)]);
}));
return overlaps;
"""


class Screenshots(CapturePageTest):
    def setUp(self):
        super().setUp()
        os.makedirs(FOLDER, exist_ok=True)
        self.addCleanup(browser.set_dark, self.driver, False, reduced_motion=True)
        self.addCleanup(browser.resize, self.driver, 1440, 900)

    def check(self, name, capture, *fragments):
        path = self.page(capture)
        for width, height in ((1440, 900), (800, 600)):
            browser.resize(self.driver, width, height)
            for dark in (False, True):
                browser.set_dark(self.driver, dark, reduced_motion=True)
                for fragment in fragments:
                    with self.subTest(width=width, dark=dark, fragment=fragment):
                        self.open(path, fragment)
                        overflow = self.run_script(
                            "return document.documentElement.scrollWidth - window.innerWidth")
                        self.assertLessEqual(overflow, 0, "nothing is wider than the window")
                        self.assertEqual(self.run_script(OVERLAPS), [])
                        self.assertEqual(browser.console(self.driver), [])
                    view = fragment.replace("=", "-") or "graph"
                    theme = "dark" if dark else "light"
                    shot = os.path.join(FOLDER, f"{name}-{view}-{width}-{theme}.png")
                    self.assertTrue(self.driver.save_screenshot(shot))

    def test_python_with_native_frames(self):
        capture = self.record([SYSTEM_PYTHON, self.script(PROGRAM, "growing.py")], "--native")
        self.check("python", capture, "", "mode=table", "fill=own", "range=20.60")

    def test_a_native_program(self):
        self.check("native", self.record([self.program("operators")]), "", "inverted=1")

    def test_several_processes(self):
        capture = self.record([SYSTEM_PYTHON, self.script(FAMILY, "family.py")])
        self.check("processes", capture, "", "split=thread")
        facts = self.run_script("return document.getElementById('facts').textContent")
        self.assertRegex(facts, r"RSS at the peak[\d.]+\sMB")
        hint = self.run_script(
            "return document.querySelector('.fact[title^=Resident]').title")
        self.assertIn("counts in each", hint)

    def test_a_program_that_allocates_nothing(self):
        self.check("empty", self.record([shutil.which("true")]), "", "mode=table")
        self.open(os.path.join(self.directory, "page.html"))
        self.assertIn("Nothing was allocated", self.driver.find_element("id", "nothing").text)
        self.assertIsNone(self.run_script("return memlens.timeline.moment"))

    def test_a_recording_that_was_cut(self):
        whole = self.record_program()
        cut = os.path.join(self.directory, "cut.mlens")
        shutil.copy(whole, cut)
        os.truncate(cut, os.path.getsize(whole) // 2)
        self.check("cut", cut, "", "mode=table")
        notes = self.driver.find_element("id", "notes").text
        self.assertIn("ended early", notes)
        self.open(self.page(whole))
        self.assertNotIn("ended early", self.run_script(
            "return document.getElementById('notes').textContent"))


if __name__ == "__main__":
    capture_testing.main()
