#!/usr/bin/env python3
"""Writes docs/benchmarks.md from the rows that the benchmarks wrote with --json.

    bench/document.py RECORDING.json READING.json [NOTES.md] > docs/benchmarks.md

NOTES.md is put at the end as it is: what was measured by hand, and how.
"""
import collections
import json
import math
import sys

from measure import is_peer

INTRODUCTION = """# Benchmarks

Regenerate with

    python3 bench/run.py --json recording.json
    python3 bench/reading.py --json reading.json
    python3 bench/document.py recording.json reading.json docs/benchmarks-notes.md > docs/benchmarks.md

Each mode of a workload runs in turn, round after round; a ratio is the median over the rounds of the
mode's wall time over the untracked program's in the same round, with the lowest and the highest beside
it. CPU time counts the whole tree, the collector included; memory is that of its largest process. The
time of `memlens run` is all of it: start of the collector, recording, symbols, and closing the capture.
On a machine of two shared cores single figures vary by ten per cent and more: trust the ratios.
"""

# Modes that record the same, so that like is compared with like.
PAIRS = [
    ("malloc level, Python stacks", "memlens malloc-level", "memray"),
    ("malloc level, native stacks too", "memlens malloc-level native", "memray native"),
    ("every object, Python stacks", "memlens", "memray all objects"),
    ("every object, native stacks too", "memlens native", "memray all objects native"),
    ("cooperating allocators, one frame", None, "tracemalloc"),
]


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values))


def cell(value, pattern="{}", scale=1):
    return pattern.format(value / scale) if value is not None else ""


def table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def by_workload(rows):
    grouped = collections.OrderedDict()
    for row in rows:
        grouped.setdefault(row["workload"], {})[row["mode"]] = row
    return grouped


def means(workloads, mode):
    """Geometric mean and worst ratio of a mode over the Python workloads but start-up."""
    ratios = [modes[mode]["ratio"] for name, modes in workloads.items()
              if mode in modes and "tracemalloc" in modes and name != "startup"]
    return f"{geometric_mean(ratios):.2f} ({max(ratios):.2f})" if ratios else ""


def added(row):
    return row["added_seconds"]


def recording(report):
    workloads = by_workload(report["rows"])
    print("## Recording\n")
    peer_rounds = max((row["rounds"] for row in report["rows"] if is_peer(row["mode"])), default=0)
    print(f"{report['python']}, {report['machine']}, {report['cores']} cores, {report['rounds']} rounds, "
          f"{peer_rounds} of them with the peers.\n")
    print("Python, over all workloads but start-up: geometric mean of the ratios (worst of them).\n")
    table(["recorded", "memlens", "peer", ""],
          [[what, means(workloads, ours) if ours else "", means(workloads, theirs), theirs]
           for what, ours, theirs in PAIRS])
    rivals = [(name, modes["memlens"], modes["heaptrack"]) for name, modes in workloads.items()
              if "heaptrack" in modes and modes["memlens"]["added_seconds"] > 0]
    if rivals:
        print("C++, native stacks: time added to the program.\n")
        table(["workload", "memlens", "heaptrack", "times as much wall", "times as much CPU"],
              [[name, f"{added(ours):.2f} s", f"{added(theirs):.2f} s",
                f"{added(theirs) / added(ours):.1f}",
                f"{theirs['added_cpu_seconds'] / ours['added_cpu_seconds']:.1f}"]
               for name, ours, theirs in rivals])
    print("Each workload:\n")
    table(["workload", "mode", "seconds", "ratio (range)", "CPU ratio", "resident", "file", "events",
           "ns/event", "B/event"],
          [[row["workload"], row["mode"], f"{row['seconds']:.3f}",
            f"{row['ratio']:.2f} ({row['low']:.2f}–{row['high']:.2f})", f"{row['cpu_ratio']:.2f}",
            cell(row["peak_bytes"], "{:.0f} MB", 1e6), cell(row["file_bytes"], "{:.1f} MB", 1e6),
            cell(row["events"], "{:,.0f}"), cell(row["ns_per_event"], "{:.0f}"),
            cell(row["bytes_per_event"], "{:.2f}")] for row in report["rows"]])


def reading(report):
    print("## Reading\n")
    print("Reports on captures of the same program; events are those memlens recorded of it. `again` is "
          "a second report, from the stored index.\n")
    table(["workload", "report", "seconds", "CPU seconds", "resident", "file", "M events/s"],
          [[row["workload"], row["mode"], f"{row['seconds']:.3f}", f"{row['cpu_seconds']:.3f}",
            cell(row["peak_resident_bytes"], "{:.0f} MB", 1e6),
            cell(row["file_bytes"], "{:.1f} MB", 1e6),
            cell(row["events_per_second"], "{:.1f}", 1e6)] for row in report["rows"]])


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    reports = []
    for path in sys.argv[1:3]:
        with open(path, encoding="utf-8") as file:
            reports.append(json.load(file))
    print(INTRODUCTION)
    recording(reports[0])
    reading(reports[1])
    for path in sys.argv[3:]:
        with open(path, encoding="utf-8") as file:
            print(file.read().rstrip())


if __name__ == "__main__":
    main()
