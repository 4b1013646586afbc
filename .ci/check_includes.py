#!/usr/bin/env python3
"""Keeps dependencies pointing one way: interposer/format <- interposer, format <- reader <- report <- tests.

Within those, rooms (folders) have an order too (interposer/README.md says what each is). The
collector is the other end of the shared segment: it may use format and segment, not the rest of the
interposer and not the reader. What finishes a capture (symbolizer, recording) reads it: these two
rooms of interposer/ stand between reader/ and report/. Only includes written from the project's root are ours.
"""
import re
import subprocess
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)

# Room -> rooms it may include besides itself; the longest matching folder decides. The order of the
# lines is the order of the rooms: what a room may include stands above it, so there is no circle
# (checked below).
MAY_INCLUDE = {
    "include": [],
    "examples": [],
    "bench": [],

    "interposer/platform": [],
    "interposer/format": [],
    "interposer/segment": ["interposer/platform"],
    "interposer/guest": ["interposer/platform"],
    "interposer/loader": ["interposer/platform", "interposer/guest"],
    # Judges executables and environments; memlens itself does, too.
    "interposer/exec": ["interposer/platform", "interposer/segment", "interposer/loader"],
    "interposer/session": ["interposer/platform", "interposer/format", "interposer/segment",
                           "interposer/guest", "interposer/loader"],
    "interposer/allocator_statistics": ["interposer/platform", "interposer/format", "interposer/segment",
                                        "interposer/guest", "interposer/loader",
                                        "interposer/session"],
    "interposer/definitions": ["interposer/platform", "interposer/format", "interposer/segment",
                               "interposer/guest", "interposer/loader", "interposer/session"],
    "interposer/python": ["interposer/platform", "interposer/format", "interposer/guest",
                          "interposer/loader", "interposer/session", "interposer/definitions"],
    "interposer/stacks": ["interposer/platform", "interposer/format", "interposer/guest",
                          "interposer/loader", "interposer/session", "interposer/definitions",
                          "interposer/python"],
    "interposer/record/sampling": ["interposer/platform", "interposer/guest", "interposer/session"],
    "interposer/record": ["interposer/platform", "interposer/format", "interposer/segment",
                          "interposer/guest", "interposer/session",
                          "interposer/allocator_statistics", "interposer/definitions",
                          "interposer/python", "interposer/stacks", "interposer/record/sampling"],
    "interposer/program/python": ["interposer/guest", "interposer/session",
                                  "interposer/allocator_statistics",
                                  "interposer/definitions", "interposer/python",
                                  "interposer/stacks", "interposer/record/sampling",
                                  "interposer/record"],
    "interposer/program": ["interposer/platform", "interposer/format", "interposer/guest",
                           "interposer/loader", "interposer/session", "interposer/definitions",
                           "interposer/stacks", "interposer/record/sampling", "interposer/record"],
    "interposer/lifecycle": ["interposer/platform", "interposer/segment", "interposer/guest",
                             "interposer/loader", "interposer/exec", "interposer/session",
                             "interposer/allocator_statistics", "interposer/definitions",
                             "interposer/record",
                             "interposer/program/python", "interposer/program"],
    "interposer/hooks": ["interposer/platform", "interposer/guest", "interposer/loader",
                         "interposer/exec", "interposer/session",
                         "interposer/allocator_statistics", "interposer/definitions",
                         "interposer/stacks", "interposer/record/sampling", "interposer/record",
                         "interposer/program", "interposer/lifecycle"],
    # The other end of the segment, in the process that writes the capture.
    "interposer/collector": ["interposer/platform", "interposer/format", "interposer/segment"],
    # Gets the library into a process that runs; part of the program, like the collector.
    "interposer/attach": ["interposer/platform"],

    "reader/text": [],
    "reader/file": ["interposer/format"],
    "reader/cache": ["interposer/format", "reader/file"],
    "reader/events": ["interposer/format", "reader/file"],
    "reader/capture": ["interposer/format", "reader/text", "reader/file", "reader/cache",
                       "reader/events"],
    "reader/analysis": ["interposer/format", "reader/file", "reader/cache", "reader/events",
                        "reader/capture"],
    # Writes names into a capture when its recording ends.
    "interposer/symbolizer": ["interposer/platform", "interposer/format", "reader/text",
                              "reader/capture"],
    # Records from outside: starts the program or gets into it, serves the recording, and finishes
    # the capture, for which it reads it.
    "interposer/recording": ["interposer/format", "interposer/segment", "interposer/exec",
                             "interposer/collector", "reader/text", "reader/file", "reader/capture",
                             "reader/analysis", "interposer/symbolizer"],
    "interposer/recording/attach": ["interposer/segment", "interposer/exec", "interposer/collector",
                                    "interposer/attach", "reader/text", "interposer/recording"],

    "report/text": ["reader/text", "reader/capture"],
    "report/view": ["reader/text", "reader/capture", "reader/analysis", "report/text"],
    "report/explain": ["reader/text", "reader/capture", "reader/analysis", "report/text",
                       "report/view"],
    "report/terminal": ["reader/text", "reader/capture", "reader/analysis", "report/text",
                        "report/view", "report/explain"],
    "report/json": ["reader/text", "reader/file", "reader/capture", "reader/analysis",
                    "report/text", "report/view", "report/explain"],
    "report/exports": ["reader/text", "reader/capture", "report/text", "report/view",
                       "report/terminal", "report/json"],
    "report/live": ["reader/text", "reader/capture", "reader/analysis", "report/text",
                    "report/view", "report/terminal"],
    "report/html": ["reader/text", "reader/capture", "reader/analysis", "report/view"],
    "report/cli/options": ["reader/analysis"],
    "report/cli/run": ["interposer/format", "interposer/recording", "reader/text", "reader/capture",
                       "reader/analysis", "report/text", "report/explain", "report/terminal",
                       "report/cli/options"],
    "report/cli": ["interposer/collector", "interposer/recording", "interposer/recording/attach",
                   "reader/text", "reader/file", "reader/capture", "reader/analysis", "report/text",
                   "report/view", "report/explain", "report/terminal", "report/json",
                   "report/exports", "report/live", "report/html", "report/cli/options",
                   "report/cli/run"],
}
# Tests look at everything.
TESTS = "tests"


def room_of(path):
    rooms = [room for room in MAY_INCLUDE if path == room or path.startswith(room + "/")]
    return max(rooms, key=len, default=None)


def circles():
    """Rooms that may include one that stands below them."""
    order = list(MAY_INCLUDE)
    for room, targets in MAY_INCLUDE.items():
        for target in targets:
            if target not in MAY_INCLUDE:
                yield f".ci/check_includes.py: {room} may include {target}, which is no room"
            elif order.index(target) >= order.index(room):
                yield f".ci/check_includes.py: {room} may include {target}, which stands below it"


def main():
    listed = subprocess.run(["git", "ls-files", "*.h", "*.cpp", "*.c"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout.split()
    wrong = list(circles())
    used = set()
    for path in listed:
        if path.startswith(TESTS + "/"):
            continue
        room = room_of(path)
        if room is None:
            wrong.append(f"{path}: in no folder that .ci/check_includes.py knows")
            continue
        with open(path, encoding="utf-8") as file:
            included = INCLUDE.findall(file.read())
        for name in included:
            if name.startswith(TESTS + "/"):
                wrong.append(f"{path}: includes {name}")
            target = room_of(name)
            used.add((room, target))
            if target is not None and target != room and target not in MAY_INCLUDE[room]:
                wrong.append(f"{path}: includes {name}, but {room} may not depend on {target}")
    wrong += [f".ci/check_includes.py: {room} does not include {target} any more"
              for room, targets in MAY_INCLUDE.items() for target in targets
              if (room, target) not in used]
    print("\n".join(wrong) or f"includes: {len(listed)} files point the right way")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
