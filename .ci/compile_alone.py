#!/usr/bin/env python3
"""Whether each source compiles by itself.

The build joins eight sources of a library in one (MEMLENS_UNITY), where an include that a source
lacks may come from its neighbour. Only the syntax is looked at.
"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

DIRECTORY = "build-tidy"


def judge(entry):
    command = shlex.split(entry["command"])
    # Not through ccache: it keeps nothing of what has no output.
    command = command[next(i for i, word in enumerate(command) if "ccache" not in word):]
    output = command.index("-o")
    command[output:output + 2] = ["-fsyntax-only", "-w"]
    result = subprocess.run(command, cwd=entry["directory"], stderr=subprocess.PIPE, text=True,
                            check=False)
    return result.returncode, result.stderr


def main():
    subprocess.run(["cmake", "--preset", "release", "-B", DIRECTORY, "-DMEMLENS_UNITY=OFF",
                    "-Wno-dev"], stdout=subprocess.DEVNULL, check=True)
    sources = {os.path.abspath(path) for path in subprocess.run(
        ["git", "ls-files", "interposer/collector", "reader", "report"], stdout=subprocess.PIPE,
        text=True, check=True).stdout.split()}
    with open(os.path.join(DIRECTORY, "compile_commands.json"), encoding="utf-8") as file:
        # Some are compiled more than once, for tests.
        entries = {entry["file"]: entry for entry in json.load(file) if entry["file"] in sources}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(judge, entries.values()))
    for _, errors in results:
        sys.stderr.write(errors)
    print(f"compiled alone: {len(results)} sources")
    return 1 if not results or any(code for code, _ in results) else 0


if __name__ == "__main__":
    sys.exit(main())
