#!/usr/bin/env python3
"""Takes one feature after another out (removals.py) and says which unit tests notice.

    tests/removals/run.py [--build build] [--only WORD] [--from N]

Changes the files of the checkout it lies in, one at a time, and puts each back: for a copy of the
repository, or a clean checkout. By hand; docs/removals.md has what came of it.
"""
import argparse
import os
import re
import subprocess
import sys

from removals import REMOVALS, TESTS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def tests_of(path):
    return TESTS[max((folder for folder in TESTS if path.startswith(folder)), key=len)]


def failing_cases(output):
    """Cases of doctest that failed, or, of another kind of test, its own name."""
    cases = re.findall(r"TEST CASE:\s+(.*)", output)
    cases += re.findall(r"FAIL(?:ED)?: ?(test_\w+)", output)
    cases += re.findall(r"\d+ - ([\w.]+) \(\w+\)", output) if not cases else []
    return list(dict.fromkeys(case.strip() for case in cases))


def try_removal(build, path, text, replacement):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        original = file.read()
    if original.count(text) != 1:
        return f"stands {original.count(text)} times, not once: the list is out of date", []
    targets, expression = tests_of(path)
    try:
        with open(os.path.join(ROOT, path), "w", encoding="utf-8") as file:
            file.write(original.replace(text, replacement))
        built = subprocess.run(["cmake", "--build", build, "-j2", "--target", *targets],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if built.returncode:
            return "does not build: " + "".join(re.findall(r"error: .*", built.stdout)[:1]), []
        tested = subprocess.run(["ctest", "--test-dir", build, "-R", expression, "--timeout", "120",
                                 "--output-on-failure"], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace")
        if tested.returncode == 0:
            return "nobody notices", []
        return "", failing_cases(tested.stdout)
    finally:
        with open(os.path.join(ROOT, path), "w", encoding="utf-8") as file:
            file.write(original)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--only", default="", help="those whose file or words contain this")
    parser.add_argument("--from", type=int, default=0, dest="first")
    arguments = parser.parse_args()
    unnoticed = 0
    for number, (what, path, text, replacement) in enumerate(REMOVALS):
        if number < arguments.first or arguments.only not in path + what:
            continue
        problem, cases = try_removal(arguments.build, path, text, replacement)
        unnoticed += bool(problem)
        print(f"| {what} | `{os.path.basename(path)}` | {problem or '; '.join(cases[:4])}"
              f"{f' and {len(cases) - 4} more' if len(cases) > 4 else ''} |", flush=True)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
