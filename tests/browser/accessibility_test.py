"""Names, contrast, focus order, motion and paper."""

import math

import page_testing
from page_testing import PageTest, browser
from selenium.webdriver.common.keys import Keys


def lab(matrix, color):
    """CIE L*a*b* of a colour as an eye sees it; 10 apart is told at a glance."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
              for v in (channel / 255 for channel in color)]
    r, g, b = (sum(m * v for m, v in zip(row, linear)) for row in matrix)
    xyz = ((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505, 0.2126 * r + 0.7152 * g + 0.0722 * b,
           (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089)
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


class Accessibility(PageTest):
    def test_every_control_has_a_name(self):
        self.open()
        nameless = self.run_script("""
            const controls = document.querySelectorAll('button, input, summary, a, [tabindex]');
            return [...controls].filter((control) => !(control.textContent.trim()
              || control.getAttribute('aria-label') || control.labels?.length || control.title))
              .map((control) => control.outerHTML.slice(0, 80));""")
        self.assertEqual(nameless, [])

    def test_what_scrolls_can_be_scrolled_without_a_mouse(self):
        browser.resize(self.driver, 1440, 420)
        self.addCleanup(browser.resize, self.driver, 1440, 900)
        self.open()
        out_of_reach = self.run_script("""
            const scrolls = (element) => /auto|scroll/.test(getComputedStyle(element).overflowY)
              && element.scrollHeight > element.clientHeight + 13;
            const inside = 'a[href], button, input, summary, [tabindex="0"]';
            const found = [...document.querySelectorAll('body *')].filter(scrolls);
            return [found.length, found.filter((e) => e.tabIndex < 0 && !e.querySelector(inside))
              .map((e) => e.id || e.tagName)];""")
        self.assertGreater(out_of_reach[0], 0)
        self.assertEqual(out_of_reach[1], [])

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

    def test_the_focus_is_always_seen(self):
        for fragment in ("view=allocations", "view=allocations&mode=table"):
            self.open(fragment)
            for _ in range(30):
                self.press(Keys.TAB)
                name, shown, outline = self.run_script("""
                    const active = document.activeElement;
                    // A radio button's outline is on the text beside it.
                    const drawn = active.nextElementSibling?.tagName === 'SPAN' && active.type === 'radio'
                      ? active.nextElementSibling : active;
                    return [active.outerHTML.slice(0, 80),
                      active === document.body || active.getClientRects().length > 0,
                      getComputedStyle(drawn).outlineStyle];""")
                self.assertTrue(shown, name)
                if not name.startswith("<body"):
                    self.assertNotEqual(outline, "none", name)

    def test_who_wants_less_motion_gets_none(self):
        zoom = """
            const { flame, tree } = memlens;
            memlens.zoomTo(tree.children(0)[0]);
            return flame.animation !== 0;"""
        self.open()
        self.assertFalse(self.run_script(zoom))
        browser.set_dark(self.driver, False, reduced_motion=False)
        self.addCleanup(browser.set_dark, self.driver, False, reduced_motion=True)
        self.open()
        self.assertTrue(self.run_script(zoom))

    def test_kinds_of_bars_differ_with_any_colour_vision(self):
        # Machado, Oliveira and Fernandes, severity 1: linear RGB as seen.
        visions = {
            "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
            "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                       (-0.003882, -0.048116, 1.051998)),
            "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                       (-0.011820, 0.042940, 0.968881)),
            "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
                       (0.004733, 0.691367, 0.303900)),
        }
        kinds = ("python", "native", "interpreter", "map")
        for theme in ("light", "dark"):
            self.open()
            if theme == "dark":
                self.press("d")
            colors = self.run_script("""
                const context = document.createElement('canvas').getContext('2d');
                return arguments[0].map((kind) => {
                  context.fillStyle = memlens.palette.sample(kind);
                  context.fillRect(0, 0, 1, 1);
                  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
                });""", kinds)
            for vision, matrix in visions.items():
                seen = [lab(matrix, color) for color in colors]
                for i, first in enumerate(seen):
                    for j in range(i):
                        self.assertGreater(math.dist(first, seen[j]), 10,
                                           (theme, vision, kinds[i], kinds[j]))
        self.press("d")

    def test_paper_gets_the_whole_graph_and_the_whole_chart(self):
        self.open("view=allocations")
        self.run_script("window.dispatchEvent(new Event('beforeprint'))")
        paper = self.run_script("""
            const { flame, timeline } = memlens;
            const { canvas } = flame;
            return [flame.bars.right[0], canvas.width, canvas.height, flame.rowsHeight(),
              timeline.canvas.width,
              document.querySelectorAll('#print-rows tr').length];""")
        right, width, height, rows, chart, listed = paper
        self.assertEqual([right, width, chart, listed], [968, 968, 968, 20])
        self.assertEqual(height, min(rows, 1400))
        self.run_script("window.dispatchEvent(new Event('afterprint'))")
        self.assertIsNone(self.run_script("return memlens.flame.paper"))
        pdf = self.driver.execute_cdp_cmd("Page.printToPDF", {})["data"]
        self.assertGreater(len(pdf), 20_000)

    def test_printing_is_light_whatever_the_theme(self):
        self.open()
        self.press("d")
        self.run_script("window.dispatchEvent(new Event('beforeprint'))")
        self.assertEqual(self.run_script("return document.documentElement.dataset.theme"), "light")
        self.run_script("window.dispatchEvent(new Event('afterprint'))")
        self.assertEqual(self.run_script("return document.documentElement.dataset.theme"), "dark")
        self.press("d")


if __name__ == "__main__":
    page_testing.main()
