"""The first screen's answers: the lines that hold most, and what grows; as summary and growing say."""

import json

import capture_testing
from capture_testing import CapturePageTest, SYSTEM_PYTHON

LEAKING = """
import time
kept = []

def leak():
    kept.append(bytearray(50_000))

def serve():
    for _ in range(40):
        leak()
        time.sleep(0.02)

steady = bytearray(3_000_000)
serve()
"""


class Answers(CapturePageTest):
    def record_leak(self):
        return self.record([SYSTEM_PYTHON, "-S", self.script(LEAKING, "leaking.py")])

    def strip(self):
        return self.run_script(
            "return [...document.querySelectorAll('.answer')].map((each) => each.textContent)")

    def printed(self):
        """The parts of the page that paper shows."""
        self.run_script("window.dispatchEvent(new Event('beforeprint'))")
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        shown = self.run_script("""
            return ['graph-page', 'table-page', 'growing-page', 'panel', 'print-summary']
              .filter((id) => document.getElementById(id).checkVisibility());""")
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        self.run_script("window.dispatchEvent(new Event('afterprint'))")
        return shown

    def test_the_strip_has_the_lines_of_the_summary(self):
        capture = self.record_program()
        path = self.page(capture)
        top = self.summary(capture)["top_locations"]
        for view in ("peak", "leaks", "temporary"):
            with self.subTest(view):
                self.open(path, f"view={view}")
                places = self.run_script("return memlens.capture.about.places[arguments[0]]", view)
                names = ("function", "file", "line", "bytes", "blocks")
                self.assertEqual([[p[n] for n in names] for p in places],
                                 [[p[n] for n in names] for p in top[view][:3]])
                self.assertEqual(len(self.strip()), len(places))
                self.assertIn(places[0]["function"], self.strip()[0])

    def test_the_first_screen_says_what_explain_says(self):
        capture = self.record_leak()
        path = self.page(capture)
        found = json.loads(self.memlens("explain", capture, "--json").stdout)["findings"][:2]
        shown = "return [...document.querySelectorAll('#findings li')].map((each) => each.textContent)"
        self.open(path)
        sentences = self.run_script(shown)
        self.assertEqual(len(sentences), len(found))
        for sentence, finding in zip(sentences, found):
            self.assertTrue(sentence.endswith(" " + finding["text"]), sentence)
        self.assertRegex(sentences[0], r"^(Growth \(possible\)|Leak \(likely\)) leak \(leaking.py:6\) gained ")
        self.assertTrue(self.run_script(
            "return document.getElementById('findings').getBoundingClientRect().bottom < innerHeight"))
        self.open(path, "view=peak&range=0.9")
        self.assertEqual(self.run_script(shown), [])

    def test_bars_of_modules_name_their_file(self):
        self.open(self.page(self.record_leak()))
        texts = self.run_script("""
            const texts = [];
            const { prototype } = CanvasRenderingContext2D;
            const { fillText } = prototype;
            prototype.fillText = function (text, ...where) {
              texts.push(text);
              return fillText.call(this, text, ...where);
            };
            const drawn = () => new Promise(requestAnimationFrame);
            memlens.update({ metric: 'blocks' });
            return drawn().then(drawn).then(() => memlens.update({ metric: 'bytes' }))
              .then(drawn).then(drawn).then(() => {
                prototype.fillText = fillText;
                return texts;
              });""")
        self.assertTrue(any(text.startswith("leaking.py:13  steady = byte") for text in texts), texts)

    def test_where_it_is_narrow_a_place_keeps_its_end(self):
        self.addCleanup(capture_testing.browser.resize, self.driver, 1440, 900)
        capture_testing.browser.resize(self.driver, 420, 900)
        self.open(self.page(self.record_program()), "mode=table")
        style = self.run_script("""
            const { direction, textAlign } = getComputedStyle(document.querySelector('.row-place'));
            return [direction, textAlign, getComputedStyle(document.querySelector('.row-place bdi')).direction];""")
        self.assertEqual(style, ["rtl", "left", "ltr"])  # cut at its beginning, and read as ever

    def test_a_redacted_page_has_no_sentences(self):
        path = self.page(self.record_leak(), "--redact")
        self.open(path)
        self.assertTrue(self.run_script("return document.getElementById('findings').hidden"))

    def test_a_line_of_the_strip_shows_where_and_again_shows_all(self):
        path = self.page(self.record_program())
        self.open(path, "view=leaks")
        name = self.run_script("return memlens.capture.about.places.leaks[0].function")
        self.run_script("document.querySelector('.answer').click()")
        matched = self.run_script("""
            const { capture, matches } = memlens;
            return [...matches.keys()].filter((f) => matches[f]).map((f) => capture.functionName(f));""")
        self.assertEqual(set(matched), {name})
        self.assertEqual(self.run_script(
            "return document.querySelector('.answer').getAttribute('aria-pressed')"), "true")
        self.run_script("document.querySelector('.answer').click()")
        self.assertEqual(self.run_script("return memlens.state.query"), "")

    def test_a_range_has_no_strip(self):
        path = self.page(self.record_program())
        self.open(path, "view=peak&range=0.9")
        self.assertEqual(self.strip(), [])

    def test_growing_is_a_view_with_the_places_of_the_command(self):
        capture = self.record_leak()
        path = self.page(capture)
        report = json.loads(self.memlens("growing", capture, "--json").stdout)
        self.open(path)
        self.run_script("document.getElementById('view-growing').click()")
        self.assertTrue(self.run_script(
            "return document.getElementById('growing-page').checkVisibility()"))
        self.assertFalse(self.run_script(
            "return document.getElementById('graph-page').checkVisibility()"))
        places = self.run_script("return memlens.capture.about.growing.places")
        names = ("function", "line", "gained_bytes", "bytes_per_second", "since_seconds", "stacks",
                 "shape")
        self.assertEqual([[p[n] for n in names] for p in places],
                         [[p[n] for n in names] for p in report["places"][:20]])
        leak = next(i for i, p in enumerate(places) if p["function"] == "leak")
        row = self.run_script(
            "return document.querySelectorAll('#growing-rows tr')[arguments[0]].textContent", leak)
        self.assertIn("rises throughout the recording", row)
        self.assertIn("leaking.py:6", row)
        width, height = self.run_script("""
            const line = document.querySelectorAll('#growing-rows polyline')[arguments[0]];
            const { width, height } = line.getBBox();
            return [width, height];""", leak)
        self.assertGreater(width, 100)
        self.assertGreater(height, 15)
        self.assertEqual(self.printed(), ["growing-page"])
        # The row leads to the graph, the graph's views lead back.
        self.run_script(
            "document.querySelectorAll('#growing-rows .growing-place')[arguments[0]].click()", leak)
        self.assertEqual(self.run_script("return [memlens.state.mode, memlens.state.view]"),
                         ["graph", "leaks"])
        self.assertEqual(self.printed(), ["graph-page", "panel", "print-summary"])
        self.assertTrue(self.run_script("return memlens.matches.includes(1)"))
        self.run_script("memlens.update({ mode: 'growing' })")
        self.run_script("document.getElementById('view-peak').click()")
        self.assertEqual(self.run_script("return [memlens.state.mode, memlens.state.view]"),
                         ["graph", "peak"])


if __name__ == "__main__":
    capture_testing.main()
