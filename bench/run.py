#!/usr/bin/env python3
"""Measures what recording costs, beside the untracked program and beside its peers.

Every mode of a workload runs in turn, round after round, and each round's time is divided by the
untracked program's time of the same round; the table shows the median of those ratios. Peers that
are not on the machine are named as missing.

    bench/run.py [--memlens build/bin/memlens] [--python PYTHON] [--memray PATH] [--rounds 5]
                 [--only NAME ...] [--json FILE]
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import native

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PYTHON_WORKLOADS = [
    "calls", "objects", "strings", "recursion", "threads", "real_ast", "real_index", "numpy_job",
    "startup",
]


class Tools:
    """Where the programs to compare are; None where one is missing."""

    def __init__(self, arguments):
        self.memlens = os.path.abspath(arguments.memlens)
        self.python = arguments.python
        self.memray = arguments.memray or shutil.which("memray")
        self.heaptrack = shutil.which("heaptrack")


def python_modes(tools, script, output):
    """The commands to compare on a Python script, by name."""
    memlens = [tools.memlens, "run", "-q", "-f", "-o", output, "--python", tools.python]
    modes = {
        "untracked": [tools.python, script],
        "memlens": memlens + [script],
        "memlens malloc-level": memlens + ["--no-python-allocators", script],
        "memlens native": memlens + ["--native", script],
    }
    if tools.memray:
        memray = [tools.memray, "run", "-q", "-f", "-o", output]
        modes["memray"] = memray + [script]
        modes["memray all objects"] = memray + ["--trace-python-allocators", script]
        modes["memray all objects native"] = memray + ["--trace-python-allocators", "--native",
                                                       script]
    modes["tracemalloc"] = [tools.python, "-X", "tracemalloc=1", script]
    return modes


def run_once(command, directory):
    """Wall seconds, CPU seconds of the whole tree, peak resident bytes of its largest process."""
    before = os.times()
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    error = process.stderr.read()
    process.wait()
    wall = time.perf_counter() - start
    after = os.times()
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} failed ({process.returncode}): {error.decode()[-400:]}")
    cpu = (after.children_user - before.children_user +
           after.children_system - before.children_system)
    return wall, cpu


def capture_bytes(output):
    for name in (output, output + ".zst", output + ".gz"):
        if os.path.exists(name):
            return os.path.getsize(name)
    return None


def count_events(tools, output):
    result = subprocess.run([tools.memlens, "summary", output, "--json"], capture_output=True,
                            check=True)
    summary = json.loads(result.stdout)
    return summary["allocations"] + summary["frees"]


def measure(tools, name, modes, output, rounds, directory):
    times = {mode: [] for mode in modes}
    cpu = {mode: [] for mode in modes}
    sizes, events = {}, {}
    for _ in range(rounds):
        for mode, command in modes.items():
            for leftover in (output, output + ".zst", output + ".gz"):
                if os.path.exists(leftover):
                    os.remove(leftover)
            wall, used = run_once(command, directory)
            times[mode].append(wall)
            cpu[mode].append(used)
            if mode != "untracked" and mode not in sizes:
                sizes[mode] = capture_bytes(output)
                if mode.startswith("memlens"):
                    events[mode] = count_events(tools, output)
    rows = []
    base = times["untracked"]
    for mode in modes:
        ratios = sorted(wall / reference for wall, reference in zip(times[mode], base))
        added = statistics.median(wall - reference for wall, reference in zip(times[mode], base))
        added_cpu = statistics.median(a - b for a, b in zip(cpu[mode], cpu["untracked"]))
        count = events.get(mode)
        rows.append({
            "workload": name, "mode": mode, "seconds": statistics.median(times[mode]),
            "ratio": statistics.median(ratios), "low": ratios[0], "high": ratios[-1],
            "cpu_ratio": statistics.median(
                a / b for a, b in zip(cpu[mode], cpu["untracked"]) if b > 0),
            "added_seconds": added, "added_cpu_seconds": added_cpu,
            "file_bytes": sizes.get(mode), "events": count,
            "ns_per_event": added * 1e9 / count if count else None,
            "bytes_per_event": sizes[mode] / count if count and sizes.get(mode) else None,
        })
    return rows


def has_numpy(python):
    return subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode == 0


def print_rows(rows):
    for row in rows:
        size = f"{row['file_bytes'] / 1e6:8.1f} MB" if row["file_bytes"] else " " * 11
        event = (f"{row['ns_per_event']:7.1f} ns/event {row['bytes_per_event']:5.2f} B/event"
                 if row["ns_per_event"] is not None else "")
        print(f"{row['workload']:18} {row['mode']:26} {row['seconds']:7.3f} s  {row['ratio']:6.2f}x "
              f"({row['low']:.2f}-{row['high']:.2f})  cpu {row['cpu_ratio']:5.2f}x {size} {event}",
              flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memlens", default=os.path.join(ROOT, "build", "bin", "memlens"))
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--memray", help="a memray program, made for the same Python")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="workloads whose names contain one of these")
    parser.add_argument("--modes", nargs="*", help="only modes with these names (and untracked)")
    parser.add_argument("--json", help="write the rows there too")
    arguments = parser.parse_args()
    tools = Tools(arguments)
    rows = []

    def wanted(name):
        return not arguments.only or any(part in name for part in arguments.only)

    def chosen(modes):
        if not arguments.modes:
            return modes
        return {mode: command for mode, command in modes.items()
                if mode == "untracked" or mode in arguments.modes}

    for peer in ("memray", "heaptrack"):
        if getattr(tools, peer) is None:
            print(f"{peer}: not on this machine, left out")
    with tempfile.TemporaryDirectory() as directory:
        output = os.path.join(directory, "capture")
        for name in PYTHON_WORKLOADS:
            if not wanted(name):
                continue
            if name == "numpy_job" and not has_numpy(tools.python):
                print("numpy_job: numpy is not there for this Python, left out")
                continue
            script = os.path.join(HERE, "workloads", name + ".py")
            new = measure(tools, name, chosen(python_modes(tools, script, output)), output,
                          arguments.rounds, directory)
            print_rows(new)
            rows += new
        for name in filter(wanted, native.PROGRAMS):
            command = native.build(name, directory)
            new = measure(tools, name, chosen(native.modes(tools, command, output)), output,
                          arguments.rounds, directory)
            print_rows(new)
            native.print_peers(new)
            rows += new
    if arguments.json:
        version = subprocess.run([tools.python, "-V"], capture_output=True, text=True).stdout.strip()
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"python": version, "machine": platform.machine(),
                       "cores": os.cpu_count(), "rounds": arguments.rounds, "rows": rows}, file,
                      indent=1)


if __name__ == "__main__":
    main()
