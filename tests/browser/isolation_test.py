"""Hostile names stay text, and nothing leaves the page."""

import os
import time

import page_testing
from page_testing import PageTest, browser
from selenium.webdriver.common.by import By


class HostileNames(PageTest):
    kind = "hostile"

    def test_names_are_text_and_nothing_else(self):
        for fragment in ("view=allocations", "view=allocations&mode=table", "inverted=1&split=thread"):
            self.open(fragment)
            self.click_bar(1, 0.02) if "table" not in fragment else self.driver.find_elements(
                By.CSS_SELECTOR, "#table-rows .table-row")[0].click()
            time.sleep(0.1)
            self.assertIsNone(self.run_script("return window.hacked ?? null"))
            self.assertEqual(self.run_script("return document.querySelectorAll('img').length"), 0)
            self.assertEqual(self.run_script("return document.scripts.length"), 1)
            self.assertEqual([m for m in browser.console(self.driver) if "favicon" not in m], [])

    def test_the_file_holds_no_name_of_the_capture(self):
        with open(self.path, "rb") as file:
            page = file.read()
        self.assertNotIn(b"hacked", page)
        self.assertNotIn(b"onerror", page)
        self.assertEqual(page.count(b"</script>"), 2)

    def test_names_that_objects_have_anyway_are_names(self):
        self.open("view=allocations&mode=table&filter=^(__proto__|constructor)")
        self.assertGreater(self.run_script("return memlens.table.rows.length"), 1)


class Isolation(PageTest):
    def test_nothing_is_requested_but_the_page(self):
        self.open()
        browser.requested_addresses(self.driver)
        self.open("view=leaks")
        self.click_bar(1, 0.02)
        self.press("i")
        self.press("t")
        time.sleep(0.3)
        asked = [a for a in browser.requested_addresses(self.driver)
                 if not a.startswith(("about:", "chrome:"))]
        self.assertEqual({address.split("#")[0] for address in asked},
                         {"file://" + os.path.realpath(self.path)})

    def test_the_policy_lets_no_request_and_no_other_script_through(self):
        self.open()
        outcome = self.driver.execute_async_script("""
            const done = arguments[arguments.length - 1];
            const outcome = {};
            try { eval('1'); outcome.evaluated = true; } catch { outcome.evaluated = false; }
            try {
              const script = document.createElement('script');
              script.text = 'window.injected = true';
              document.body.append(script);
            } catch {}
            outcome.injected = window.injected === true;
            fetch('file:///etc/hostname').then(() => { outcome.fetched = true; done(outcome); },
                                               () => { outcome.fetched = false; done(outcome); });
            """)
        self.assertEqual(outcome["fetched"], False)
        self.assertEqual(outcome["injected"], False)


if __name__ == "__main__":
    page_testing.main()
