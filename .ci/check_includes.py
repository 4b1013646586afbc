#!/usr/bin/env python3
"""Keeps dependencies pointing one way: interposer/format <- interposer, format <- reader <- report <- tests.

The collector is the other end of the shared segment: it may use format and segment, not the rest of
the interposer and not the reader. Only includes written from the project's root are ours.
"""
import re
import subprocess
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)

# Folder -> folders it may include besides itself. The longest matching folder decides.
MAY_INCLUDE = {
    "interposer/format": [],
    "interposer/segment": ["interposer/format"],
    "interposer/collector": ["interposer/format", "interposer/segment", "interposer/platform"],
    "interposer": ["interposer/format", "interposer/segment", "interposer/platform",
                   "interposer/hooks/exec_target.h"],
    # Judges executables; needs nothing of the library's inside.
    "interposer/hooks/exec_target.h": [],
    "interposer/platform": [],
    "reader": ["interposer/format"],
    "report": ["reader", "interposer/format"],
    # The one command that records starts the collector.
    "report/cli": ["report", "reader", "interposer/format", "interposer/segment",
                   "interposer/collector", "interposer/hooks/exec_target.h"],
    "include": [],
    "examples": ["include"],
    "bench": [],
    "tests": ["interposer", "interposer/hooks/exec_target.h", "interposer/platform",
              "interposer/format", "interposer/segment", "interposer/collector",
              "reader", "report", "report/cli"],
}


def folder_of(path):
    candidates = [f for f in MAY_INCLUDE if path == f or path.startswith(f + "/")]
    return max(candidates, key=len, default=None)


def main():
    listed = subprocess.run(["git", "ls-files", "*.h", "*.cpp", "*.c"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout.split()
    wrong = []
    for path in listed:
        folder = folder_of(path)
        if folder is None:
            wrong.append(f"{path}: in no folder that .ci/check_includes.py knows")
            continue
        with open(path, encoding="utf-8") as file:
            included = INCLUDE.findall(file.read())
        for name in included:
            target = folder_of(name)
            if target is not None and target != folder and target not in MAY_INCLUDE[folder]:
                wrong.append(f"{path}: includes {name}, but {folder} may not depend on {target}")
    print("\n".join(wrong) or f"includes: {len(listed)} files point the right way")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
