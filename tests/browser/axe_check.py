#!/usr/bin/env python3
"""Runs axe-core over a page of memlens: light and dark, wide, narrow and zoomed, in every view.

    python3 tests/browser/axe_check.py PAGE.html [--axe FILE]

On demand only: axe-core comes from npm, which the tests do not need. Exit code 1: there are
violations, each told with the state of the page and the elements it is of; 0: none.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import browser

# Width, height and zoom of the page, and whether it is dark.
STATES = {
    "light": (1440, 900, 1, False),
    "dark": (1440, 900, 1, True),
    "narrow": (420, 900, 1, False),
    "narrow and dark": (420, 900, 1, True),
    "zoomed to 200 %": (1440, 900, 2, False),
}
# What is shown, by the page's own address.
VIEWS = ["view=peak", "view=leaks", "view=temporary", "view=allocations", "view=growing",
         "view=peak&tab=table"]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, { runOnly: arguments[0], resultTypes: ['violations'] })
  .then((result) => done(result.violations.map((v) => ({
    id: v.id, impact: v.impact, help: v.help,
    nodes: v.nodes.map((node) => node.target.join(' ')) }))),
        (error) => done([{ id: 'error', impact: 'none', help: String(error), nodes: [] }]));
"""


def axe_source(path):
    """The text of axe.min.js, from a file or from npm."""
    if path:
        with open(path, encoding="utf-8") as file:
            return file.read()
    with tempfile.TemporaryDirectory(prefix="memlens-axe-") as folder:
        subprocess.run(["npm", "install", "--no-save", "--ignore-scripts", "--silent", "axe-core"],
                       cwd=folder, check=True)
        with open(os.path.join(folder, "node_modules", "axe-core", "axe.min.js"),
                  encoding="utf-8") as file:
            return file.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page")
    parser.add_argument("--axe", help="axe.min.js; not given: npm's latest")
    options = parser.parse_args()
    if browser.missing():
        sys.exit(browser.missing())
    source = axe_source(options.axe)
    found = 0
    with browser.chromium() as driver:
        for state, (width, height, zoom, dark) in STATES.items():
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width // zoom, "height": height // zoom, "deviceScaleFactor": zoom,
                "mobile": False})
            browser.set_dark(driver, dark, reduced_motion=True)
            for view in VIEWS:
                browser.open_page(driver, options.page, view)
                driver.execute_script(source)
                for violation in driver.execute_async_script(RUN, RULES):
                    found += 1
                    print(f"{state}, {view}: {violation['id']} ({violation['impact']}): "
                          f"{violation['help']}")
                    for node in violation["nodes"][:5]:
                        print(f"    {node}")
    print(f"{found} violations in {len(STATES)} states of {len(VIEWS)} views")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
