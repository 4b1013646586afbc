"""Names, contrast, focus order, motion and paper."""

import page_testing
from page_testing import PageTest
from selenium.webdriver.common.keys import Keys


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
    page_testing.main()
