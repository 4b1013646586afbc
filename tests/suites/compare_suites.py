#!/usr/bin/env python3
"""Other projects' own test suites, with memlens and without it: is any test's outcome another?

    compare_suites.py cpython [--python PATH] [MODULE ...]   CPython's regression tests (default: a choice)
    compare_suites.py pytest  [--python PATH] numpy|pandas|...   any package (numpy.fft) that brings its tests, by pytest
    compare_suites.py tap     PROGRAM ...                    GLib's installed tests, and others with its options

Run on demand; `make test` has no part in it. A unit (one module, one program) is run untracked, then
tracked. Where an outcome differs, both are run again, up to twice: a test that also wavers without
memlens is named apart and does not count. Exit code 1 if a difference is left.
Environment: MEMLENS (default build/bin/memlens), MEMLENS_OPTIONS (for `memlens run`).
"""
import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEMLENS = os.environ.get("MEMLENS", str(HERE.parent.parent / "build/bin/memlens"))
OPTIONS = shlex.split(os.environ.get("MEMLENS_OPTIONS", ""))
TIME_LIMIT_SECONDS = 600
AGAIN = 2

# What allocates in many ways, starts threads, processes and interpreters, handles signals, deep
# recursion, codecs, and whatever looks at itself.
CPYTHON_MODULES = """
    test_array test_ast test_asyncgen test_atexit test_audit test_bigmem test_binascii test_bisect
    test_bytes test_bz2 test_capi test_cmd_line test_code test_codecs test_collections test_compile
    test_concurrent_futures test_context test_contextlib test_copy test_coroutines test_csv
    test_ctypes test_dataclasses test_datetime test_decimal test_deque test_dict test_dis
    test_descr test_embed test_enum test_exceptions test_faulthandler test_fork1 test_format
    test_frame test_functools test_gc test_generators test_hashlib test_heapq test_import
    test_inspect test_io test_iter test_itertools test_json test_list test_logging test_lzma
    test_marshal test_memoryview test_mmap test_multiprocessing_fork test_multiprocessing_spawn
    test_os test_pickle test_posix test_pyexpat test_queue test_random test_re test_regrtest
    test_resource test_sched test_select test_set test_signal test_socket test_sqlite3 test_ssl
    test_statistics test_str test_struct test_subprocess test_sys test_sys_setprofile
    test_sys_settrace test_tempfile test_thread test_threading test_threading_local test_time
    test_tracemalloc test_traceback test_types test_typing test_unicode test_unittest test_urllib
    test_userdict test_uuid test_venv test_weakref test_xml_etree test_zipfile test_zlib
    test__xxsubinterpreters test_asyncio
""".split()


class Run:
    """One unit, run once: its exit status and the outcome of each test in it."""

    def __init__(self, command, read_outcomes, tracked, folder):
        capture = Path(folder, "unit.mlens")
        if tracked:
            command = [MEMLENS, "run", "-q", "-f", "-o", str(capture), *OPTIONS, "--", *command]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            try:
                status = process.wait(TIME_LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                status = "time limit"
            # Also what the tests left behind, which would go on beside the next run.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            output.seek(0)
            self.outcomes = read_outcomes(output.read().decode(errors="replace"))
        # As a shell says it: memlens ends with 128 + n where the program died by signal n.
        self.outcomes["exit status"] = 128 - status if isinstance(status, int) and status < 0 else status
        capture.unlink(missing_ok=True)


def compare(unit, command, read_outcomes):
    """(number of tests, {test: (untracked, tracked)} that differ, tests that waver untracked too)."""
    untracked, tracked = {}, {}
    with tempfile.TemporaryDirectory(prefix="memlens-suite-") as folder:
        for attempt in range(1 + AGAIN):
            for seen, is_tracked in ((untracked, False), (tracked, True)):
                for test, outcome in Run(command, lambda text: read_outcomes(text, folder),
                                         is_tracked, folder).outcomes.items():
                    seen.setdefault(test, set()).add(outcome)
            tests = untracked.keys() | tracked.keys()
            # The same outcome with and without, once: a test that wavers.
            differing = {t: (sorted(map(str, untracked.get(t, {"absent"}))),
                             sorted(map(str, tracked.get(t, {"absent"}))))
                         for t in tests if not untracked.get(t, set()) & tracked.get(t, set())}
            if not differing:
                break
    # Neither the same nor different: nothing was compared.
    if untracked["exit status"] == {"time limit"}:
        print(f"TOO LONG {unit}", flush=True)
        return 0, {}, []
    wavering = [t for t in tests if t not in differing and len(untracked.get(t, ())) > 1]
    count = len(tests) - 1
    print(f"{'DIFFERS' if differing else 'same':8} {unit}: {count} tests"
          + (f", {len(wavering)} waver without memlens too" if wavering else ""), flush=True)
    for test, (plain, recorded) in sorted(differing.items()):
        print(f"         {test}: {' or '.join(plain)}, with memlens {' or '.join(recorded)}", flush=True)
    return count, differing, wavering


def unittest_outcomes(text, folder):
    try:
        return json.loads(Path(folder, "outcomes.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {"module": "no outcomes"}
    finally:
        Path(folder, "outcomes.json").unlink(missing_ok=True)


def junit_outcomes(text, folder):
    try:
        cases = ElementTree.parse(Path(folder, "outcomes.xml")).iter("testcase")
    except (FileNotFoundError, ElementTree.ParseError):
        return {"package": "no outcomes"}
    found = {}
    for case in cases:
        kinds = sorted({child.tag for child in case} & {"failure", "error", "skipped"})
        found[f"{case.get('classname')}::{case.get('name')}"] = " ".join(kinds) or "ok"
    Path(folder, "outcomes.xml").unlink(missing_ok=True)
    return found


def tap_outcomes(text, folder):
    return {name.strip(): outcome for outcome, name in
            re.findall(r"^(ok|not ok) \d+ ?-? ?([^#\n]*)", text, re.MULTILINE)}


def unit_files(python, package):
    """The package's files of tests: one unit each, so that a crash costs no more than its own."""
    found = subprocess.run([python, "-c", f"import {package}; print({package}.__path__[0])"],
                           capture_output=True, text=True, check=True).stdout.strip()
    return sorted(str(p) for p in Path(found).rglob("test_*.py") if "tests" in p.parts)


def units(arguments):
    """(name, command, how its outcomes are read) of all there is to run."""
    if arguments.suite == "cpython":
        script = str(HERE / "unittest_outcomes.py")
        for module in arguments.names or CPYTHON_MODULES:
            known = subprocess.run([arguments.python, "-c", f"import importlib.util as u, sys; "
                                    f"sys.exit(u.find_spec('test.{module}') is None)"],
                                   stderr=subprocess.DEVNULL)
            if known.returncode == 0:
                yield module, [arguments.python, script, "outcomes.json", f"test.{module}"], unittest_outcomes
            else:
                print(f"absent   {module}", flush=True)
    elif arguments.suite == "pytest":
        for package in arguments.names:
            for file in unit_files(arguments.python, package):
                yield file, [arguments.python, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                             "--junitxml", "outcomes.xml", file], junit_outcomes
    else:
        for program in arguments.names:
            # Some name their tests by numbers drawn at random.
            yield program, [program, "--tap", "--seed", "R02S" + "0" * 32], tap_outcomes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", choices=("cpython", "pytest", "tap"))
    parser.add_argument("--python", default="python3")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_intermixed_args()
    tests = differing = wavering = 0
    for unit, command, read_outcomes in units(arguments):
        count, differs, wavers = compare(unit, command, read_outcomes)
        tests, differing, wavering = tests + count, differing + len(differs), wavering + len(wavers)
    print(f"{tests} tests: {differing} differ, {wavering} waver without memlens too")
    sys.exit(1 if differing or not tests else 0)


if __name__ == "__main__":
    main()
