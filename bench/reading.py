#!/usr/bin/env python3
"""Measures how fast captures are read, beside what its peers take for their captures of the same
program.

Each program is recorded once by each tool; then the reports run in turn, round after round. The
table shows medians over the rounds: wall time, processor time, peak resident memory, and events a
second, where the events are those memlens recorded of the program. `again` is a second report from
the stored index; all others are made without it. Synthetic captures (the interposer's own encoder,
no program) show working sets no workload here has.

    bench/reading.py [--memlens build/bin/memlens] [--python PYTHON] [--memray PATH] [--rounds 3]
                     [--synthetic EVENTS] [--only NAME ...] [--json FILE]
"""
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
from run import HERE, Tools, argument_parser

PYTHON_WORKLOADS = ["objects", "strings"]
NATIVE_WORKLOADS = ["churn, 1 thread", "churn, 2 threads", "words, 1 thread"]
# name: live blocks, stacks, threads
SYNTHETIC = {
    "synthetic, small set": (20_000, 500, 1),
    "synthetic, large set": (2_000_000, 50_000, 1),
    "synthetic, small set, 4 threads": (20_000, 500, 4),
    "synthetic, large set, 4 threads": (2_000_000, 50_000, 4),
}


def check(command, directory, **options):
    result = subprocess.run(command, cwd=directory, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, **options)
    if result.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} failed ({result.returncode}): "
                 f"{result.stderr.decode(errors='replace')[-400:]}")


def run_once(command, directory, environment):
    """Wall seconds, CPU seconds, peak resident bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        sys.exit(f"bench: {' '.join(command)} failed ({os.waitstatus_to_exitcode(status)})")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def memlens_reports(tools, capture, page):
    return {
        "memlens summary": [tools.memlens, "summary", capture, "--no-cache"],
        "memlens summary again": [tools.memlens, "summary", capture],
        "memlens flamegraph": [tools.memlens, "flamegraph", capture, "-f", "-o", page, "--no-cache"],
    }


def record_python(tools, name, directory):
    """The reports of each tool's recording of a script, by mode: (command, its capture)."""
    script = os.path.join(HERE, "workloads", name + ".py")
    capture = os.path.join(directory, name + ".mlens")
    check([tools.memlens, "run", "-q", "-f", "-o", capture, "--python", tools.python, script],
          directory)
    page = os.path.join(directory, "page.html")
    modes = {mode: (command, capture)
             for mode, command in memlens_reports(tools, capture, page).items()}
    if tools.memray:
        # What memlens records without being asked: every object.
        peer = os.path.join(directory, name + ".memray")
        check([tools.memray, "run", "-q", "-f", "--trace-python-allocators", "-o", peer, script],
              directory)
        modes["memray stats"] = ([tools.memray, "stats", peer], peer)
        modes["memray flamegraph"] = ([tools.memray, "flamegraph", "-f", "-o", page, peer], peer)
    return modes, capture


def record_native(tools, command, directory):
    capture = os.path.join(directory, "native.mlens")
    check([tools.memlens, "run", "-q", "-f", "-o", capture, "--"] + command, directory)
    page = os.path.join(directory, "page.html")
    modes = {mode: (report, capture)
             for mode, report in memlens_reports(tools, capture, page).items()}
    if tools.heaptrack:
        peer = os.path.join(directory, "native.heaptrack")
        check(native.heaptrack(tools.heaptrack) + ["-o", peer] + command, directory)
        written = next(peer + end for end in (".zst", ".gz") if os.path.exists(peer + end))
        modes["heaptrack_print"] = (["heaptrack_print", written], written)
    return modes, capture


def make_synthetic(tools, name, events, directory):
    generator = os.path.join(os.path.dirname(tools.memlens), "memlens_synthetic_capture")
    capture = os.path.join(directory, "synthetic.mlens")
    live_blocks, stacks, threads = SYNTHETIC[name]
    check([generator, capture, str(events), str(live_blocks), str(stacks), str(threads)], directory)
    page = os.path.join(directory, "page.html")
    return {mode: (command, capture)
            for mode, command in memlens_reports(tools, capture, page).items()}, capture


def count_events(tools, capture):
    result = subprocess.run([tools.memlens, "summary", capture, "--json", "--no-cache"],
                            capture_output=True, check=True)
    summary = json.loads(result.stdout)
    return summary["allocations"] + summary["frees"]


def measure(tools, name, modes, capture, rounds, directory):
    environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(directory, "cache"),
                       MEMLENS_CACHE_AFTER="0")
    environment.pop("MEMLENS_NO_CACHE", None)
    events = count_events(tools, capture)
    run_once([tools.memlens, "summary", capture], directory, environment)  # stores the index
    measured = {mode: [] for mode in modes}
    for _ in range(rounds):
        for mode, (command, _) in modes.items():
            measured[mode].append(run_once(command, directory, environment))
    rows = []
    base = statistics.median(wall for wall, _, _ in measured["memlens summary"])
    for mode, (_, its_capture) in modes.items():
        walls = sorted(wall for wall, _, _ in measured[mode])
        seconds = statistics.median(walls)
        rows.append({
            "workload": name, "mode": mode, "seconds": seconds, "ratio": seconds / base,
            "low": walls[0] / base, "high": walls[-1] / base,
            "cpu_seconds": statistics.median(cpu for _, cpu, _ in measured[mode]),
            "peak_resident_bytes": max(resident for _, _, resident in measured[mode]),
            "file_bytes": os.path.getsize(its_capture), "events": events,
            "ns_per_event": seconds * 1e9 / events, "events_per_second": events / seconds,
        })
    return rows


def print_rows(rows):
    for row in rows:
        print(f"{row['workload']:31} {row['mode']:22} {row['seconds']:8.3f} s {row['ratio']:7.2f}x  "
              f"cpu {row['cpu_seconds']:8.3f} s {row['peak_resident_bytes'] / 1e6:8.1f} MB  file "
              f"{row['file_bytes'] / 1e6:7.1f} MB {row['events_per_second'] / 1e6:8.2f} M events/s",
              flush=True)


def main():
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("--synthetic", type=int, default=20_000_000, metavar="EVENTS",
                        help="events of each synthetic capture; 0: none")
    arguments = parser.parse_args()
    tools = Tools(arguments)
    for peer in ("memray", "heaptrack"):
        if getattr(tools, peer) is None:
            print(f"{peer}: not on this machine, left out")

    def wanted(name):
        return not arguments.only or any(part in name for part in arguments.only)

    rows = []
    with tempfile.TemporaryDirectory() as directory:
        def add(name, recorded):
            modes, capture = recorded
            new = measure(tools, name, modes, capture, arguments.rounds, directory)
            print_rows(new)
            rows.extend(new)
            for _, path in modes.values():
                if os.path.exists(path):
                    os.remove(path)

        for name in filter(wanted, PYTHON_WORKLOADS):
            add(name, record_python(tools, name, directory))
        for name in filter(wanted, NATIVE_WORKLOADS):
            add(name, record_native(tools, native.build(name, directory), directory))
        if arguments.synthetic > 0:
            for name in filter(wanted, SYNTHETIC):
                add(name, make_synthetic(tools, name, arguments.synthetic, directory))
        shutil.rmtree(os.path.join(directory, "cache"), ignore_errors=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": platform.machine(), "cores": os.cpu_count(),
                       "rounds": arguments.rounds, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
