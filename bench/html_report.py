#!/usr/bin/env python3
"""Times the HTML page in Debian's headless chromium, against what it has to reach.

    bench/html_report.py [BUILD_DIRECTORY]

Needs chromium, chromium-driver and python3-selenium. A zoom's frames are measured twice: the work of
layout and drawing in the page's own code, and the time from one frame to the next as the browser
shows them. Of three runs the best is printed, since what disturbs a run only makes it slower.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "tests" / "browser"))
try:
    import browser
except ImportError:
    # Selenium is installed for the system's Python.
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

RUNS = 3

# [nodes, most seconds until ready]
SIZES = [(100_000, 1.0), (1_000_000, 4.0)]
MOST_FRAME_MILLISECONDS = 50
MOST_BYTES_A_NODE = 10

# Zooms down the heaviest path and back, timing each frame; then the slowest of other things.
MEASURE = """
const done = arguments[arguments.length - 1];
const { flame } = memlens;
const times = [];
const original = { layOutNow: flame.layOutNow, draw: flame.draw };
let layout = 0;
flame.layOutNow = function (...options) {
  const started = performance.now();
  original.layOutNow.apply(this, options);
  layout = performance.now() - started;
};
flame.draw = function () {
  const started = performance.now();
  original.draw.apply(this);
  times.push(performance.now() - started + layout);
  layout = 0;
};
const intervals = [];
const pause = () => new Promise((resolve) => {
  let last = 0;
  const watch = (now) => {
    if (last > 0) intervals.push(now - last);
    last = now;
    if (flame.animation) requestAnimationFrame(watch);
    else setTimeout(resolve, 50);
  };
  requestAnimationFrame(watch);
});
const timed = async (work) => {
  const started = performance.now();
  work();
  return performance.now() - started;
};
(async () => {
  const path = [0];
  for (let i = 0; i < 4; ++i) path.push(memlens.tree.children(path.at(-1))[i % 2] ?? path.at(-1));
  for (const node of [...path, ...path.toReversed()]) {
    memlens.zoomTo(node);
    await pause();
  }
  const result = {
    frame: Math.max(...times),
    interval: Math.max(...intervals),
    view: await timed(() => memlens.update({ view: 'allocations' })),
    range: await timed(() => memlens.update({ range: [10, 30] })),
    inverted: await timed(() => memlens.update({ range: null, inverted: true })),
    search: await timed(() => memlens.update({ inverted: false, query: 'merge' })),
    table: await timed(() => memlens.update({ query: '', mode: 'table' })),
  };
  done(result);
})();
"""


def measure(path):
    with browser.chromium() as driver:
        seconds = browser.open_page(driver, path)
        driver.set_script_timeout(60)
        result = driver.execute_async_script(MEASURE)
    return {"ready": 1000 * seconds, **result}


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else SOURCE / "build")
    if browser.missing():
        sys.exit(browser.missing())
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        for nodes, most_seconds in SIZES:
            path = os.path.join(directory, "page.html")
            subprocess.run([build / "bin" / "memlens_synthetic_page", str(nodes), path], check=True)
            runs = [measure(path) for _ in range(RUNS)]
            best = {name: min(run[name] for run in runs) for name in runs[0]}
            size_bytes = os.path.getsize(path)
            checks = [
                ("ready", best["ready"], 1000 * most_seconds, "ms"),
                ("slowest zoom frame", best["frame"], MOST_FRAME_MILLISECONDS, "ms"),
                ("longest to the next", best["interval"], MOST_FRAME_MILLISECONDS, "ms"),
                ("file", size_bytes / nodes, MOST_BYTES_A_NODE, "bytes a node"),
            ]
            print(f"{nodes:,} nodes, {size_bytes:,} bytes")
            for name, value, most, unit in checks:
                failed |= value > most
                print(f"  {name:<20} {value:8.1f} {unit} (at most {most:g})"
                      f"{'' if value <= most else '  MISSED'}")
            for name in ("view", "range", "inverted", "search", "table"):
                print(f"  {name:<20} {best[name]:8.1f} ms")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
