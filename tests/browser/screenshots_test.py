"""Pages at two sizes, in light and dark: nothing too wide, and pictures for looking at."""

import os

import capture_testing
from capture_testing import CapturePageTest, browser


class Screenshots(CapturePageTest):
    """Kept in the build, for looking at: tests/browser in the build directory."""

    def test_pages_draw_at_two_sizes_in_light_and_dark(self):
        path = self.page(self.record_program())
        folder = os.path.join(os.environ["MEMLENS_BUILD"], "tests", "browser", "screenshots")
        os.makedirs(folder, exist_ok=True)
        for width, height in ((1440, 900), (720, 1000)):
            for dark in (False, True):
                browser.resize(self.driver, width, height)
                browser.set_dark(self.driver, dark, reduced_motion=True)
                for name, fragment in (("graph", ""), ("table", "mode=table")):
                    self.open(path, fragment)
                    overflow = self.run_script(
                        "return document.documentElement.scrollWidth - window.innerWidth")
                    self.assertLessEqual(overflow, 0, "nothing is wider than the window")
                    theme = "dark" if dark else "light"
                    shot = os.path.join(folder, f"{name}-{width}-{theme}.png")
                    self.assertTrue(self.driver.save_screenshot(shot))
                    self.assertGreater(os.path.getsize(shot), 20_000)
        browser.resize(self.driver, 1440, 900)
        browser.set_dark(self.driver, False, reduced_motion=True)


if __name__ == "__main__":
    capture_testing.main()
