"""C++ workloads, their peers, and how much slower than memlens heaptrack is.

heaptrack is run as its users run it: its library writes to a pipe, and a second process reads names
from there and compresses. That is what `memlens run` does with one file at the end.
"""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = {
    "churn, 1 thread": ["churn", "4000000", "1"],
    "churn, 2 threads": ["churn", "4000000", "2"],
    "churn, 4 threads": ["churn", "2000000", "4"],
    "pipeline": ["pipeline", "2000000"],
    "words, 1 thread": ["words", "200", "1"],
    "words, 2 threads": ["words", "200", "2"],
}


def build(program, directory):
    """Compiles one of PROGRAMS; the command to run it."""
    source, *arguments = PROGRAMS[program]
    executable = os.path.join(directory, source)
    if not os.path.exists(executable):
        subprocess.run(["g++", "-O2", "-g", "-std=c++20", "-pthread", "-o", executable,
                        os.path.join(HERE, "workloads", source + ".cpp")], check=True)
    return [executable] + arguments


def modes(tools, command, output):
    """The commands to compare on a program, by name."""
    memlens = [tools.memlens, "run", "-q", "-f", "-o", output]
    commands = {
        "untracked": command,
        "memlens": memlens + ["--"] + command,
        "memlens no stacks": memlens + ["--no-native", "--"] + command,
    }
    if tools.heaptrack:
        commands["heaptrack"] = heaptrack(tools.heaptrack) + ["-o", output] + command
    return commands


def heaptrack(program):
    """From 1.5 on it analyses what it recorded unless told not to."""
    text = subprocess.run([program, "--help"], capture_output=True, text=True).stdout
    return [program] + (["--record-only"] if "--record-only" in text else [])


def print_peers(rows):
    """heaptrack's added time over memlens's, of each workload that has both."""
    for name in dict.fromkeys(row["workload"] for row in rows):
        modes_of = {row["mode"]: row for row in rows if row["workload"] == name}
        if "heaptrack" not in modes_of or "memlens" not in modes_of:
            continue
        ours, theirs = modes_of["memlens"], modes_of["heaptrack"]
        if min(ours["added_seconds"], ours["added_cpu_seconds"]) <= 0:
            continue  # a program whose own times differ by more than that
        wall = theirs["added_seconds"] / ours["added_seconds"]
        cpu = theirs["added_cpu_seconds"] / ours["added_cpu_seconds"]
        print(f"{name:18} heaptrack adds {wall:.1f} times the wall time that memlens adds, "
              f"{cpu:.1f} times the CPU time")
