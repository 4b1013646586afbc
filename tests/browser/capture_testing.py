"""What tests of pages of real captures share."""

import base64
import json
import os
import re
import sys
import unittest
import zlib

SKIPPED = 77
try:
    import browser
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(SKIPPED)

from memlens_testing import MemlensTest

PROGRAM = """
import threading
import time

kept = []

def grow(count):
    return [bytes(1000 + i % 7) for i in range(count)]

def churn(count):
    for i in range(count):
        block = bytearray(5000)

def fold(depth):
    return [bytes(300)] + (fold(depth - 1) if depth else [])

def main():
    for step in range(10):
        kept.append(grow(100))
        kept.append(fold(5))
        churn(200)
        if step == 4:
            large = bytearray(3_000_000)
            time.sleep(0.03)
            del large
        time.sleep(0.02)

main()
"""
SYSTEM_PYTHON = "/usr/bin/python3"


def page_data(path):
    """The directory and the text of a page's columns."""
    with open(path, encoding="ascii") as file:
        text = file.read()
    encoded = re.search(r'id="capture-data">([^<]*)<', text).group(1)
    data = zlib.decompress(base64.b64decode(encoded))
    length = int.from_bytes(data[:4], "little")
    directory = json.loads(data[4:4 + length])
    at = 4 + length
    for name, _, size in directory["columns"]:
        if name == "strings.text":
            strings = data[at:at + size].decode("utf-8", "replace")
        at += size
    return directory, strings


class CapturePageTest(MemlensTest):
    @classmethod
    def setUpClass(cls):
        cls.driver = cls.enterClassContext(browser.chromium())
        browser.set_dark(cls.driver, False, reduced_motion=True)

    def record_program(self, *options):
        return self.record([SYSTEM_PYTHON, self.script(PROGRAM, "growing.py")], *options)

    def page(self, capture, *options):
        path = os.path.join(self.directory, "page.html")
        self.memlens("flamegraph", capture, "-f", "-o", path, *options)
        return path

    def open(self, path, fragment=""):
        browser.open_page(self.driver, path, fragment)

    def run_script(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)


def main():
    if browser.missing():
        print(f"skipped: {browser.missing()}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
