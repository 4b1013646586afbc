#!/usr/bin/python3
"""Makes docs/flamegraph.png again: records the example program and photographs its page.

    docs/make_screenshot.py [BUILD_DIRECTORY]
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "tests" / "browser"))
import browser  # noqa: E402

# Points at the list that makes the peak, without zooming in on it.
SELECT = """
const { tree, capture, flame } = memlens;
const pending = [0];
while (pending.length > 0) {
  const node = pending.pop();
  if (capture.functionName(tree.frame(node)) === 'rank.<locals>.<listcomp>') {
    flame.select(node);
    return;
  }
  pending.push(...tree.children(node));
}
"""


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else SOURCE / "build").resolve()
    memlens = build / "bin" / "memlens"
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(SOURCE / "examples" / "index_words.py", directory)
        subprocess.run([memlens, "run", "-q", "-o", "demo.mlens", "--python", "/usr/bin/python3",
                        "index_words.py"],
                       cwd=directory, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([memlens, "flamegraph", "demo.mlens"], cwd=directory, check=True,
                       stdout=subprocess.DEVNULL)
        with browser.chromium(1280, 800) as driver:
            browser.open_page(driver, pathlib.Path(directory) / "demo.html")
            driver.execute_script(SELECT)
            time.sleep(0.5)
            driver.save_screenshot(str(SOURCE / "docs" / "flamegraph.png"))


if __name__ == "__main__":
    main()
