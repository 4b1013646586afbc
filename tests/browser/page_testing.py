"""What tests of the page alone share: a page of a made-up capture, in one browser for a class."""

import os
import subprocess
import sys
import tempfile
import time
import unittest

SKIPPED = 77
try:
    import browser
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(SKIPPED)

SYNTHETIC_PAGE = os.path.join(os.environ["MEMLENS_BUILD"], "bin", "memlens_synthetic_page")


class PageTest(unittest.TestCase):
    nodes = 3000
    kind = ""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="memlens-page-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.path = os.path.join(cls.directory.name, "page.html")
        subprocess.run([SYNTHETIC_PAGE, str(cls.nodes), cls.path, cls.kind], check=True)
        cls.driver = cls.enterClassContext(browser.chromium())
        browser.set_dark(cls.driver, False, reduced_motion=True)

    def open(self, fragment="view=allocations"):
        browser.open_page(self.driver, self.path, fragment)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.driver.execute_script(
            "return document.querySelector(arguments[0]).textContent", selector)

    def run_script(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def state(self, name):
        return self.run_script("return memlens.state[arguments[0]]", name)

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def click(self, selector):
        self.find(selector).click()

    def choose(self, name, value):
        self.run_script("document.querySelector(arguments[0]).click()",
                        f"input[name={name}][value={value}]")

    def tick(self, box):
        self.run_script("document.getElementById(arguments[0]).click()", box)

    def root_total(self):
        return self.run_script("return memlens.tree.total(0)")

    def wait_for(self, script, *arguments):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if self.run_script(script, *arguments):
                return
            time.sleep(0.02)
        self.fail(f"never true: {script}")

    def click_bar(self, depth, fraction):
        """Clicks in the graph: a row, and where in its width."""
        canvas = self.find("#flame canvas")
        width, height = canvas.size["width"], canvas.size["height"]
        ActionChains(self.driver).move_to_element_with_offset(
            canvas, int(width * (fraction - 0.5)), int(21 * (depth + 0.5) - height / 2)
        ).click().perform()


def main():
    if browser.missing():
        print(f"skipped: {browser.missing()}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
