"""The pytest plugin as a user meets it: a suite in an empty folder, and what pytest says of it."""
import json
import os
import re
import subprocess
import sys
import unittest
from xml.etree import ElementTree

from memlens_testing import MEMLENS, SOURCE, MemlensTest, main

PYTHON = "/usr/bin/python3"


def has_module(name):
    return subprocess.run([PYTHON, "-c", "import " + name], stderr=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL).returncode == 0


class PytestPlugin(MemlensTest):
    def setUp(self):
        super().setUp()
        if not has_module("pytest"):
            self.skipTest("Debian's python3-pytest is not installed")

    def suite(self, text, name="test_it.py"):
        return self.script("import pytest\n" + text, name)

    def pytest(self, *arguments, code=0, as_module=True, environment=None):
        env = {**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python"),
               "MEMLENS_PROGRAM": MEMLENS, "COLUMNS": "140", **(environment or {})}
        for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
            env.pop(name, None)
        result = subprocess.run(
            [PYTHON, "-m", "pytest", "-p", "memlens.pytest_plugin", *arguments],
            cwd=self.directory, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=self.time_limit_seconds)
        self.assertEqual(result.returncode, code, result.stdout)
        return result.stdout

    def kept_captures(self):
        folder = os.path.join(self.directory, ".pytest_cache", "d", "memlens")
        return [os.path.join(folder, name) for name in os.listdir(folder)]

    def test_a_test_above_its_limit_fails_in_its_place_and_shows_what_held_most(self):
        self.suite("""
def load(count):
    return bytearray(count * 1000_000)

@pytest.mark.limit_memory("24 MB")
def test_too_much():
    assert load(30)

@pytest.mark.limit_memory("24 MB")
def test_enough():
    assert load(20)

def test_without_limit():
    assert load(100)
""")
        said = self.pytest(code=1)
        self.assertIn("1 failed, 2 passed", said)
        self.assertIn("test_it.py F..", said)
        self.assertRegex(said, r"limit_memory: the test peaked at 30\.0 MB, 6\.0. MB more than its "
                               r"limit of 24\.0 MB")
        self.assertRegex(said, r"1\.  30\.0 MB in \d blocks?\n +load +test_it\.py:4  return bytearray")
        self.assertEqual(said.count("test session starts"), 1)
        # The command it ends with works as it stands, after the session.
        command = re.search(r"more: memlens (.*)", said).group(1)
        shown = subprocess.run(f"{MEMLENS} {command}", shell=True, cwd=self.directory, text=True,
                               stdout=subprocess.PIPE).stdout
        self.assertIn("Peak: 30.", shown)
        self.assertIn("return bytearray", shown)
        # Under `uv run`, memlens is not on the PATH of the shell that it is typed into.
        said = self.pytest(code=1, environment={"UV_RUN_RECURSION_DEPTH": "1"})
        self.assertIn("more: uv run memlens ", said)

    def test_a_fixture_s_memory_is_not_the_test_s_whatever_its_scope(self):
        self.suite("""
@pytest.fixture
def mine():
    return bytearray(50_000_000)

@pytest.fixture(scope="class", params=[30_000_000, 40_000_000])
def shared(request):
    return bytearray(request.param)

class TestShared:
    @pytest.mark.limit_memory("1 MB")
    def test_one(self, mine, shared):
        assert mine and shared

    @pytest.mark.limit_memory("1 MB")
    def test_two(self, shared):
        assert shared
""")
        self.assertIn("4 passed", self.pytest())

    def test_a_leak_fails_after_warm_up_and_filters_leave_places_out(self):
        self.suite("""
kept, cache = [], {}

def leak():
    kept.append(bytearray(3_000_000))

def fill():
    if not cache:
        cache["all"] = bytearray(5_000_000)

@pytest.mark.limit_leaks("1 MB")
def test_leak():
    leak()

@pytest.mark.limit_leaks("1 MB", warmups=1)
def test_cache():
    fill()

@pytest.mark.limit_leaks("1 MB", filter_fn=lambda stack: stack.frames[0].function != "leak")
def test_left_out():
    leak()

@pytest.mark.limit_leaks("1 MB")
def test_garbage_is_no_leak():
    loop = [bytearray(4_000_000)]
    loop.append(loop)
""")
        said = self.pytest(code=1)
        self.assertIn("test_it.py F...", said)
        self.assertIn("limit_leaks: the test left 3.00 MB at one place, more than its limit of "
                      "1.00 MB", said)

    def test_two_limits_of_a_kind_are_a_value_error_and_a_kind_each_is_none(self):
        self.suite("""
@pytest.mark.limit_memory("2 MB")
@pytest.mark.limit_memory("3 MB")
def test_two(): pass

@pytest.mark.limit_memory("2 MB")
@pytest.mark.limit_leaks("1 MB")
def test_both(): pass

@pytest.mark.limit_memory("much")
def test_no_size(): pass
""")
        said = self.pytest(code=1)
        self.assertIn("2 failed, 1 passed", said)
        self.assertIn("ValueError: limit_memory: a test has at most one of it", said)
        self.assertIn("ValueError: no size: 'much'", said)

    def test_the_option_lists_the_tests_that_peaked_highest_and_keeps_one_capture(self):
        self.suite("""
@pytest.mark.parametrize("count", [1, 2, 3])
def test_load(count):
    bytearray(count * 1_000_000)
""")
        said = self.pytest("--memlens", "--most-allocations=2", "--junitxml=junit.xml")
        self.assertIn("3 passed", said)
        self.assertIn("3 tests; what peaked highest", said)
        listed = re.findall(r"(\d\.\d\d MB) at the peak.*(test_it\.py::test_load\[\d\])", said)
        self.assertEqual(listed, [("3.00 MB", "test_it.py::test_load[3]"),
                                  ("2.00 MB", "test_it.py::test_load[2]")])
        captures = self.kept_captures()
        self.assertEqual(len(captures), 1)
        names = [mark["name"] for mark in self.summary(captures[0])["marks"]]
        self.assertIn("test_it.py::test_load[1]", names)
        case = ElementTree.parse(os.path.join(self.directory, "junit.xml")).find(
            ".//testcase[@name='test_load[3]']")
        peak = {p.get("name"): p.get("value") for p in case.iter("property")}["memlens_peak_bytes"]
        self.assertGreaterEqual(int(peak), 3_000_000)

    def test_a_test_with_a_limit_has_its_properties_in_junit_s_file_without_the_option(self):
        self.suite("""
@pytest.mark.limit_memory("4 MB")
def test_holds(record_property):
    record_property("own", 1)
    bytearray(3_000_000)
@pytest.mark.limit_memory("1 MB")
def test_does_not(): bytearray(2_000_000)
def test_other(): pass
""")
        for options in ([], ["--memlens"]):
            self.pytest("--junitxml=junit.xml", *options, code=1)
            for name, least in (("test_holds", 3_000_000), ("test_does_not", 2_000_000)):
                case = ElementTree.parse(os.path.join(self.directory, "junit.xml")).find(
                    f".//testcase[@name='{name}']")
                names = [p.get("name") for p in case.iter("property")]
                self.assertEqual(sorted(set(names) - {"own"}),
                                 ["memlens_allocations", "memlens_leaked_bytes", "memlens_peak_bytes"])
                self.assertEqual(len(names), len(set(names)), names)
                self.assertEqual("own" in names, name == "test_holds")
                peak = {p.get("name"): p.get("value") for p in case.iter("property")}
                self.assertGreaterEqual(int(peak["memlens_peak_bytes"]), least)

    def test_what_pytest_itself_allocates_around_the_body_is_not_the_test_s(self):
        self.script("""
import pytest
kept = []
@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item):
    kept.append(bytearray(5_000_000))
""", "conftest.py")
        self.suite("""
def test_nothing(): pass

@pytest.mark.limit_memory("1 MB")
def test_limited(): pass
""")
        said = self.pytest("--memlens")
        self.assertIn("2 passed", said)
        self.assertNotRegex(said, r"MB at the peak")
        # Of pytest's own, one frame and not the forty that lead to it.
        self.assertNotRegex(said, r"more frames|site-packages|dist-packages")

    def test_options_of_the_recording_hold_for_one_that_the_option_starts(self):
        self.suite("def test_it(): [object() for _ in range(9000)]\n")
        self.pytest("--memlens", "--memlens-bin-path=kept", "--native",
                    "--memlens-no-python-allocators")
        capture, = os.listdir(os.path.join(self.directory, "kept"))
        capture = os.path.join(self.directory, "kept", capture)
        self.assertEqual(self.summary(capture)["by_allocator"]["python"]["allocations"], 0)
        kinds = {frame["kind"] for stack in self.stacks("peak", capture, "--native")["stacks"]
                 for frame in stack["frames"]}
        self.assertEqual(kinds, {"native", "python"})

    def test_a_baseline_fails_what_takes_more_and_counts_once(self):
        self.suite("""
import os
def test_grows():
    bytearray(int(os.environ["SIZE"]))
def test_stays():
    bytearray(2_000_000)
""")
        self.pytest("--memlens-write-baseline=memory.json", environment={"SIZE": "3000000"})
        self.pytest("--memlens-baseline=memory.json", environment={"SIZE": "3050000"})
        said = self.pytest("--memlens-baseline=memory.json", code=1,
                           environment={"SIZE": "4000000"})
        self.assertIn("2 passed, 1 error", said)
        self.assertIn("memlens: the test peaked at 4.00 MB, 1.00 MB more than the 3.00 MB of "
                      "memory.json", said)
        self.assertIn("usage: ", self.pytest("--memlens-baseline=absent.json", code=4) + "usage: ")

    def test_workers_of_xdist_are_measured_and_fail_as_one(self):
        if not has_module("xdist"):
            self.skipTest("Debian's python3-pytest-xdist is not installed")
        self.suite("""
@pytest.mark.parametrize("number", range(8))
@pytest.mark.limit_memory("5 MB")
def test_load(number):
    bytearray(number * 1_000_000)
""")
        said = self.pytest("-n", "2", "-p", "xdist", "--memlens", code=1)
        self.assertIn("3 failed, 5 passed", re.sub(r", \d+ warnings?", "", said))
        for number in (5, 6, 7):
            self.assertRegex(said, rf"FAILED test_it\.py::test_load\[{number}\]")
        self.assertIn("8 tests; what peaked highest", said)

    def test_threads_of_a_test_count_and_only_its_own_where_that_is_asked_for(self):
        self.suite("""
import threading
def work():
    bytearray(8_000_000)
def run():
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

@pytest.mark.limit_memory("5 MB")
def test_all(): run()

@pytest.mark.limit_memory("5 MB", current_thread_only=True)
def test_own(): run()
""")
        self.assertIn("test_it.py F.", self.pytest(code=1))

    def test_an_async_test_is_measured_as_others_are(self):
        if not has_module("pytest_asyncio"):
            self.skipTest("Debian's python3-pytest-asyncio is not installed")
        self.suite("""
import asyncio
async def work(size):
    block = bytearray(size)
    await asyncio.sleep(0)
    return len(block)

@pytest.mark.asyncio
@pytest.mark.limit_memory("1 MB")
async def test_much(): await work(3_000_000)

@pytest.mark.asyncio
@pytest.mark.limit_memory("1 MB")
async def test_little(): await work(1000)
""")
        said = self.pytest(code=1)
        self.assertIn("test_it.py F.", said)
        self.assertIn("limit_memory: the test peaked at 3.0", said)
        # The event loop that runs the test is not shown.
        self.assertRegex(said, r"\n +test_much +test_it\.py:\d+ .*\n(1 more|\d+ more stacks|\n)")
        self.assertNotIn("_run_once", said)

    def test_without_pytest_s_cache_the_capture_goes_to_a_temporary_folder(self):
        self.suite("""
@pytest.mark.limit_memory("1 MB")
def test_much(): bytearray(2_000_000)
""")
        said = self.pytest("-p", "no:cacheprovider", code=1,
                           environment={"TMPDIR": self.directory})
        self.assertIn("limit_memory: the test peaked at 2.00 MB", said)
        self.assertRegex(said, r"more: memlens ranges memlens-pytest-\w+/\S+\.mlens")
        self.assertFalse(os.path.exists(os.path.join(self.directory, ".pytest_cache")))

    def test_output_exit_codes_and_xfail_are_pytest_s(self):
        self.suite("""
@pytest.mark.xfail(strict=True)
@pytest.mark.limit_memory("1 MB")
def test_known(): bytearray(2_000_000)

@pytest.mark.limit_memory("1 MB")
def test_broken():
    print("captured words")
    assert False
""")
        said = self.pytest(code=1)
        self.assertIn("1 failed, 1 xfailed", said)
        self.assertIn("captured words", said)
        self.assertEqual(said.count("collected 2 items"), 1)
        self.pytest("-k", "nothing_at_all", code=5)
        self.assertIn("test_known", self.pytest("--collect-only", "-q"))

    def test_markers_that_no_file_names_are_seen_when_tests_are_collected(self):
        self.script("""
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(getattr(__import__("pytest").mark, "limit_" + "memory")("1 MB"))
""", "conftest.py")
        self.suite("def test_it(): bytearray(2_000_000)\n")
        self.assertIn("limit_memory: the test peaked at 2.0", self.pytest(code=1))

    def test_a_pytest_that_is_called_measures_and_the_caller_goes_on_unrecorded(self):
        self.suite("@pytest.mark.limit_memory('1 MB')\ndef test_it(): bytearray(2_000_000)\n")
        program = self.script("""
import sys, pytest
import memlens
code = pytest.main(["-p", "memlens.pytest_plugin", *sys.argv[1:]])
print("recorded:", memlens.enabled())
sys.exit(code)
""", "call.py")
        env = {**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python"),
               "MEMLENS_PROGRAM": MEMLENS}
        for options in ([], ["--memlens"]):
            result = subprocess.run([PYTHON, program, *options], cwd=self.directory, env=env,
                                    text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertIn("limit_memory: the test peaked at 2.00 MB", result.stdout)
            self.assertIn("recorded: False", result.stdout)
        # One that is recorded already is measured in that recording.
        recorded = self.memlens("run", "-q", "-o", "called.mlens", program, env=env, code=1)
        self.assertIn("1 failed", recorded.stdout)
        self.assertEqual(json.loads(self.memlens("ranges", "called.mlens", "--json").stdout)
                         ["ranges"][0]["name"], "test_it.py::test_it")

    def test_where_nothing_can_be_recorded_a_limit_says_so_and_the_option_is_an_error(self):
        self.suite("@pytest.mark.limit_memory('1 MB')\ndef test_it(): pass\n\ndef test_other(): pass\n")
        nothing = self.script("#!/bin/sh\necho 'memlens: not today' >&2\nexit 125\n", "memlens")
        os.chmod(nothing, 0o755)
        library = os.path.join(self.directory, "libmemlens.so")
        os.symlink(os.path.join(os.path.dirname(os.path.dirname(MEMLENS)), "lib", "libmemlens.so"),
                   library)
        said = self.pytest(code=1, environment={"MEMLENS_PROGRAM": nothing})
        self.assertIn("1 failed, 1 passed", said)
        self.assertIn("this process is not recorded by memlens: no recording: not today", said)
        said = self.pytest("--memlens", code=4, environment={"MEMLENS_PROGRAM": nothing})
        self.assertIn("ERROR: --memlens: no recording: not today", said)

    def test_memory_from_before_the_tests_is_nobody_s_and_the_recording_ends_with_the_session(self):
        self.script("""
import memlens, pytest
kept = [bytearray(7_000_000)]
@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    assert not memlens.enabled()
""", "conftest.py")
        self.suite("""
import conftest
@pytest.mark.limit_memory("1 MB")
def test_frees():
    conftest.kept.clear()
    bytearray(900_000)
""")
        self.assertIn("1 passed", self.pytest("--memlens"))
        capture, = self.kept_captures()
        summary = self.summary(capture)
        self.assertTrue(summary["complete"])
        self.assertLess(summary["peak_bytes"], 5_000_000)

    def test_children_of_tests_are_in_the_capture_and_not_the_test_s(self):
        self.suite("""
import subprocess, sys
@pytest.mark.limit_memory("2 MB")
def test_starts():
    subprocess.run([sys.executable, "-c", "bytearray(6_000_000)"], check=True)
""")
        self.pytest("--memlens")
        capture, = self.kept_captures()
        self.assertIn(6_000_000, [stack["bytes"] // 1_000_000 * 1_000_000
                                  for stack in self.stacks("peak", capture)["stacks"]])

    def test_without_markers_and_options_nothing_is_recorded(self):
        self.suite("import memlens\ndef test_it(): assert not memlens.enabled()\n")
        self.pytest()
        self.assertFalse(os.path.exists(os.path.join(self.directory, ".pytest_cache", "d",
                                                     "memlens")))


sys.path.insert(0, os.path.join(SOURCE, "python"))
from memlens._sizes import format_size, parse_size  # noqa: E402


class Sizes(unittest.TestCase):
    def test_sizes_mean_what_they_do_on_the_command_line(self):
        for text, size in (("512K", 512_000), ("24 MB", 24_000_000), ("1.5GiB", 3 << 29),
                           ("7", 7), (100, 100), ("1 kib", 1024)):
            self.assertEqual(parse_size(text), size)
        for text in ("", "MB", "-1", "1 XB", None, True):
            with self.assertRaises(ValueError):
                parse_size(text)
        self.assertEqual([format_size(n) for n in (999, 1000, 31_249_000, 999_600)],
                         ["999 B", "1.00 kB", "31.2 MB", "1.00 MB"])


if __name__ == "__main__":
    main()
