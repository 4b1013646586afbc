#!/usr/bin/env python3
"""How many stacks of each interpreter are right, for the tables of docs/pythons.md: as stacks_test.py
and hybrid_test.py compare them, with more seeds than a test has time for.

    count_stacks.py [--seeds 2] [--tools] [PYTHON ...]        without names: all that are found

With --tools, while the interpreter is traced, profiled, monitored or run with -X perf, and under
coverage where it has that. Prints a row of a table for each; a cell names the first stack that is wrong. In another system:
in_root.py ROOT count_stacks.py.
"""
import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "native_stacks")]
from hybrid_test import HybridStacks  # noqa: E402
from memlens_testing import pythons  # noqa: E402
from python_versions import reaches_malloc, without_padding  # noqa: E402
from stacks_test import WATCH, Stacks, looking_on  # noqa: E402


def modes(name):
    """What is counted of an interpreter: (title, test class, how it is checked with a seed)."""
    kinds = "" if reaches_malloc(name) else "malloc_"
    return [
        ("default", Stacks, lambda test, path, seed: test.check(path, seed)),
        ("malloc level", Stacks,
         lambda test, path, seed: test.check(path, seed, "--no-python-allocators", kinds=kinds,
                                             environment=without_padding(name))),
        ("--native", HybridStacks, lambda test, path, seed: test.check(name, path, seed=seed)),
        ("--native, malloc level", HybridStacks,
         lambda test, path, seed: test.check(name, path, "--no-python-allocators", seed=seed,
                                             kinds=kinds)),
    ]


def count_with_tools(path, seeds):
    """A cell for each tool that the interpreter has, and whether all were right."""
    def check_with(tool):
        def check(test, path, seed):
            before = dict(looking_on(path, test.script(WATCH, "watch.py"), test.directory))[tool]
            return test.check(path, seed, before=before)
        return check

    cells = []
    for tool, _ in looking_on(path, "", ""):
        text, right = count(Stacks, check_with(tool), path, seeds)
        cells.append((f"{tool}: {text}", right))
    return cells


def count(test_class, check, path, seeds):
    """How many stacks were right, in words, and whether all were."""
    right = 0
    for seed in range(1, seeds + 1):
        test = test_class()
        test.time_limit_seconds = 1200
        test.setUp()
        try:
            right += check(test, path, seed)
        except AssertionError as error:
            return f"WRONG after {right:,} right: {error}", False
        finally:
            test.doCleanups()
    return f"{right:,}", True


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--tools", action="store_true")
    parser.add_argument("pythons", nargs="*", metavar="PYTHON")
    arguments = parser.parse_args()
    if arguments.pythons:
        os.environ["MEMLENS_PYTHONS"] = ":".join(arguments.pythons)
    all_right = True
    if not arguments.tools:
        print("| interpreter | " + " | ".join(mode for mode, *_ in modes("")) + " |")
    for name, path in pythons().items():
        if name in ("3.6", "3.7"):
            continue
        if arguments.tools:
            cells = count_with_tools(path, arguments.seeds)
        else:
            cells = [count(test_class, check, path, arguments.seeds)
                     for _, test_class, check in modes(name)]
        all_right = all_right and all(right for _, right in cells)
        cells = [text for text, _ in cells]
        print(f"| {path} | " + " | ".join(cells) + " |", flush=True)
    return 0 if all_right else 1


if __name__ == "__main__":
    sys.exit(main())
