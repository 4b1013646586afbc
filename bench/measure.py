"""Runs the modes of a workload in turn, round after round, and makes rows of what they took.

A row's ratio is the median over the rounds of the mode's wall time over the untracked program's in the
same round. Processor time and peak memory are those of the whole tree: the collector's time counts,
and the memory is that of its largest process.
"""
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass
class Run:
    """One run of one mode."""
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass
class Workload:
    """The commands to compare, by mode; `load` is called with the running process, if given."""
    name: str
    modes: dict
    load: object = None


def run_once(command, directory, load=None):
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    if load:
        load(process)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} failed ({process.returncode}): {error.decode()[-400:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def capture_files(output):
    return [name for name in (output, output + ".zst", output + ".gz") if os.path.exists(name)]


def count_events(tools, output):
    result = subprocess.run([tools.memlens, "summary", output, "--json"], capture_output=True,
                            check=True)
    summary = json.loads(result.stdout)
    return summary["allocations"] + summary["frees"]


def is_peer(mode):
    return mode != "untracked" and not mode.startswith("memlens")


def measure(tools, workload, output, rounds, peer_rounds, directory):
    """The rows of a workload; peers take part in the first `peer_rounds` rounds only."""
    runs = {mode: [] for mode in workload.modes}
    sizes, events = {}, {}
    for number in range(rounds):
        for mode, command in workload.modes.items():
            if is_peer(mode) and number >= peer_rounds:
                continue
            for leftover in capture_files(output):
                os.remove(leftover)
            runs[mode].append(run_once(command, directory, workload.load))
            if mode != "untracked" and mode not in sizes:
                files = capture_files(output)
                sizes[mode] = os.path.getsize(files[0]) if files else None
                if mode.startswith("memlens"):
                    events[mode] = count_events(tools, output)
    return [row_of(workload.name, mode, taken, runs["untracked"], sizes.get(mode), events.get(mode))
            for mode, taken in runs.items()]


def row_of(workload, mode, runs, untracked, file_bytes, events):
    pairs = list(zip(runs, untracked))
    ratios = sorted(run.wall_seconds / base.wall_seconds for run, base in pairs)
    added = statistics.median(run.wall_seconds - base.wall_seconds for run, base in pairs)
    return {
        "workload": workload, "mode": mode, "rounds": len(runs),
        "seconds": statistics.median(run.wall_seconds for run in runs),
        "ratio": statistics.median(ratios), "low": ratios[0], "high": ratios[-1],
        "cpu_ratio": statistics.median(run.cpu_seconds / base.cpu_seconds for run, base in pairs
                                       if base.cpu_seconds > 0),
        "added_seconds": added,
        "added_cpu_seconds": statistics.median(run.cpu_seconds - base.cpu_seconds
                                               for run, base in pairs),
        "peak_bytes": statistics.median(run.peak_bytes for run in runs),
        "file_bytes": file_bytes, "events": events,
        "ns_per_event": added * 1e9 / events if events else None,
        "bytes_per_event": file_bytes / events if events and file_bytes else None,
    }


def print_rows(rows):
    for row in rows:
        size = f"{row['file_bytes'] / 1e6:8.1f} MB" if row["file_bytes"] else " " * 11
        event = (f"{row['ns_per_event']:7.1f} ns/event {row['bytes_per_event']:5.2f} B/event"
                 if row["ns_per_event"] is not None else "")
        print(f"{row['workload']:18} {row['mode']:26} {row['seconds']:7.3f} s  {row['ratio']:6.2f}x "
              f"({row['low']:.2f}-{row['high']:.2f})  cpu {row['cpu_ratio']:5.2f}x  "
              f"{row['peak_bytes'] / 1e6:7.1f} MB resident  file {size} {event}", flush=True)
