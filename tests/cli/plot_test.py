"""`memlens plot`: memory over time as a picture, and as numbers."""
import json
import os
import sys
from xml.etree import ElementTree

from memlens_testing import MEMLENS, SOURCE, MemlensTest, main

sys.path.insert(0, os.path.join(SOURCE, "python"))
os.environ["MEMLENS_PROGRAM"] = MEMLENS

import memlens  # noqa: E402

PROGRAM = """
import sys, time
sys.path.insert(0, %r)
import memlens
first = bytearray(20_000_000)
first[::4096] = b"x" * len(first[::4096])
time.sleep(0.3)
memlens.mark("half & <half>")
del first
time.sleep(0.3)
""" % os.path.join(SOURCE, "python")
SVG = "{http://www.w3.org/2000/svg}"


class Plot(MemlensTest):
    def capture(self):
        return self.record(["python3", "-S", self.script(PROGRAM)])

    def test_the_picture_has_the_curves_the_peak_and_the_marks(self):
        capture = self.capture()
        said = self.memlens("plot", capture).stdout.strip()
        self.assertEqual(said, capture[:-len(".mlens")] + ".svg")
        root = ElementTree.parse(said).getroot()
        words = [text.text for text in root.iter(SVG + "text")]
        self.assertIn("half & <half>", words)
        self.assertIn("recorded blocks", words)
        self.assertIn("resident (RSS)", words)
        peak = self.summary(capture)["peak_bytes"]
        self.assertTrue([w for w in words if w.startswith("peak %.1f MB" % (peak / 1e6))], words)
        self.assertEqual([path.get("class") for path in root.iter(SVG + "path")
                          if path.get("class")], ["blocks", "resident"])
        self.assertEqual(self.memlens("plot", capture, code=1).stderr.count("\n"), 1)
        self.memlens("plot", capture, "-f")
        self.assertIn("<svg", self.memlens("plot", capture, "-o", "-").stdout)

    def test_the_numbers_are_the_capture_s(self):
        path = self.capture()
        report = json.loads(self.memlens("plot", path, "--json").stdout)
        self.assertEqual(report["schema"], "memlens.timeline/1")
        summary = self.summary(path)
        self.assertEqual(report["peak_bytes"], summary["peak_bytes"])
        points = memlens.read(path).timeline()
        self.assertEqual(max(point.bytes for point in points), summary["peak_bytes"])
        self.assertEqual(points, sorted(points))
        self.assertGreater(max(point.resident_bytes or 0 for point in points), 15_000_000)
        late = memlens.read(path).timeline(from_seconds=summary["marks"][0]["seconds"] + 0.1)
        self.assertLess(late[-1].bytes, 10_000_000)

    def test_other_pictures_are_the_package_s(self):
        capture = self.capture()
        environment = {**os.environ, "MEMLENS_PROGRAM": MEMLENS}
        result = self.memlens("plot", capture, "-o", "it.png", code=None, env=environment)
        if "need matplotlib" in result.stderr:
            self.assertEqual((result.returncode, result.stderr.count("\n")), (1, 1))
            self.skipTest("matplotlib is not installed")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(os.path.join(self.directory, "it.png"), "rb") as file:
            self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")


if __name__ == "__main__":
    main()
