#!/usr/bin/env python3
"""Writes docs/benchmarks.md from the rows that bench/run.py --json wrote.

    bench/document.py ROWS.json > docs/benchmarks.md
"""
import collections
import json
import math
import sys

INTRODUCTION = """# Benchmarks

Regenerate with `python3 bench/run.py --json rows.json && python3 bench/document.py rows.json >
docs/benchmarks.md`. Each mode of a workload runs in turn, round after round; a ratio is the median over
the rounds of the mode's wall time over the untracked program's in the same round, with the lowest and the
highest beside it. CPU counts the whole tree, the collector included. The time of `memlens run` is all of
it: start of the collector, recording, symbols, and closing the capture. On a machine of two
shared cores single figures vary by ten per cent and more: trust the ratios.
"""


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values))


def cell(value, pattern):
    return pattern.format(value) if value is not None else ""


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    print(INTRODUCTION)
    print(f"{report['python']}, {report['machine']}, {report['cores']} cores, "
          f"{report['rounds']} rounds.\n")
    by_mode = collections.defaultdict(list)
    workloads = collections.OrderedDict()
    for row in report["rows"]:
        workloads.setdefault(row["workload"], []).append(row)
        if row["mode"] != "untracked":
            by_mode[row["mode"]].append(row)
    python_workloads = [name for name, rows in workloads.items()
                        if any(row["mode"] == "tracemalloc" for row in rows)]
    measured = [name for name in python_workloads if name != "startup"]
    print("## Python, over all workloads but start-up\n")
    print("| mode | geometric mean of the ratios | worst |\n|---|---|---|")
    for mode, rows in by_mode.items():
        ratios = [row["ratio"] for row in rows if row["workload"] in measured]
        if len(ratios) == len(measured):
            print(f"| {mode} | {geometric_mean(ratios):.2f} | {max(ratios):.2f} |")
    print("\n## Each workload\n")
    print("| workload | mode | seconds | ratio (range) | CPU ratio | file | events | ns/event | "
          "B/event |\n|---|---|---|---|---|---|---|---|---|")
    for name, rows in workloads.items():
        for row in rows:
            size = row["file_bytes"]
            print(f"| {name} | {row['mode']} | {row['seconds']:.3f} | "
                  f"{row['ratio']:.2f} ({row['low']:.2f}–{row['high']:.2f}) | "
                  f"{row['cpu_ratio']:.2f} | {cell(size / 1e6 if size else None, '{:.1f} MB')} | "
                  f"{cell(row['events'], '{:,}')} | {cell(row['ns_per_event'], '{:.0f}')} | "
                  f"{cell(row['bytes_per_event'], '{:.2f}')} |")


if __name__ == "__main__":
    main()
