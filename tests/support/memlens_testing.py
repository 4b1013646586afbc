"""What the end-to-end tests share: where the build is, how to record and how to read a report.

A test file is a unittest module, one behaviour a test, named as a sentence:

    from memlens_testing import MemlensTest, main

    class Counting(MemlensTest):
        def test_a_failed_realloc_leaves_the_block_alive(self):
            capture = self.record([self.program("failed_realloc")])
            self.assertEqual(self.summary(capture)["leaked_blocks"], 1)

    if __name__ == "__main__":
        main()

A file whose tests were all skipped ends with code 77, which ctest shows as skipped.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("MEMLENS_BUILD", os.path.join(SOURCE, "build")))
MEMLENS = os.path.join(BUILD, "bin", "memlens")
LIBRARY = os.path.join(BUILD, "lib", "libmemlens.so")
PROGRAMS = os.path.join(BUILD, "tests", "programs")
SKIPPED = 77

# Images of a child that `subprocess` starts: before 3.10 it forks, and what it forked is one of its own
# until it executes the program.
SUBPROCESS_IMAGES = 1 if sys.version_info >= (3, 10) else 2

VIEWS = ("peak", "leaks", "temporary", "allocations")


# Where interpreters are looked for: the system's, pyenv's, and those unpacked or built below /opt.
PYTHON_PLACES = ("/usr/bin", "/usr/local/bin", "/opt/py*/bin",
                 os.path.join(os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")),
                              "versions", "3.*", "bin"))
ASK_NAME = """
import sys, sysconfig
print('%d.%d' % sys.version_info[:2], end='')
print('t' if sysconfig.get_config_var('Py_GIL_DISABLED') else '', end='')
print('-dbg' if hasattr(sys, 'gettotalrefcount') else '')
"""


def pythons():
    """Every CPython to test with: {"3.11": path}, from MEMLENS_PYTHONS (paths joined by ':'), or
    all there are in PYTHON_PLACES. Of a free-threaded one the name ends in "t", of a debug build in
    "-dbg"; of several that are called the same, all but the first have their path in the name."""
    paths = [p for p in os.environ.get("MEMLENS_PYTHONS", "").split(":") if p]
    if not paths:
        paths = [path for place in PYTHON_PLACES
                 for path in sorted(glob.glob(os.path.join(place, "python3.*")))
                 if re.search(r"/python3\.[0-9]+t?d?$", path)]
    found = {}
    seen = set()
    for path in paths:
        if not os.access(path, os.X_OK):
            continue
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        name = subprocess.run([path, "-c", ASK_NAME], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True).stdout.strip()
        if name:
            found[name if name not in found else name + "-" + path] = path
    return found


class MemlensTest(unittest.TestCase):
    maxDiff = None
    time_limit_seconds = 120

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="memlens-test-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.captures = 0

    # -- programs -------------------------------------------------------------------------------
    def program(self, name):
        """The built tests/programs/<name>.c or .cpp."""
        path = os.path.join(PROGRAMS, name)
        if "MEMLENS_SKIP_UNBUILT" in os.environ and not os.path.exists(path):
            self.skipTest(f"{name} was not built")  # tests/roots: there is no compiler for it
        self.assertTrue(os.path.exists(path), f"{path} was not built")
        return path

    def script(self, text, name="script.py"):
        """A Python script of this text in the test's own directory."""
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def need(self, *commands):
        """The paths of these commands; skips the test where one is missing."""
        paths = [shutil.which(command) for command in commands]
        for command, path in zip(commands, paths):
            if path is None:
                self.skipTest(f"{command} is not installed")
        return paths if len(paths) > 1 else paths[0]

    # -- memlens --------------------------------------------------------------------------------
    def memlens(self, *arguments, code=0, memlens=MEMLENS, **options):
        """Runs memlens; checks its exit code unless code is None."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("cwd", self.directory)
        options.setdefault("timeout", self.time_limit_seconds)
        result = subprocess.run([memlens, *map(str, arguments)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, errors="replace", **options)
        if code is not None:
            self.assertEqual(result.returncode, code,
                             f"memlens {' '.join(map(str, arguments))}\n"
                             f"{result.stdout[-2000:]}\n{result.stderr[-4000:]}")
        return result

    def record(self, command, *options, code=0, **run_options):
        """Records a command (a list) and returns the capture's path."""
        self.captures += 1
        capture = os.path.join(self.directory, f"{self.captures}.mlens")
        self.recording = self.memlens("run", "-o", capture, *options, "--", *command, code=code,
                                      **run_options)
        return capture

    def summary(self, capture, *options):
        return json.loads(self.memlens("summary", capture, "--json", *options).stdout)

    def stacks(self, view, capture, *options):
        report = json.loads(self.memlens(view, capture, "--json", *options).stdout)
        self.assertEqual(sum(s["bytes"] for s in report["stacks"]), report["total_bytes"])
        self.assertEqual(sum(s["blocks"] for s in report["stacks"]), report["total_blocks"])
        return report


def functions(stack):
    """The functions of one stack of a report, innermost first."""
    return [frame["function"] for frame in stack["frames"]]


def main():
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(SKIPPED)
