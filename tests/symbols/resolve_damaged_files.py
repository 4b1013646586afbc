#!/usr/bin/env python3
"""Resolve addresses of damaged object files: nothing may crash, hang or grow without bound.

usage: resolve_damaged_files.py RESOLVE_ADDRESSES [--rounds N] [--seed S] FILE...

Each round copies a file, changes random bytes of one of its sections (or of its headers), and asks
for addresses all over it. Run it with a build under the sanitizers.
"""
import argparse
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter

SECONDS = 60
SECTIONS = (".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_line_str",
            ".debug_rnglists", ".debug_ranges", ".debug_aranges", ".symtab", ".strtab", ".dynsym",
            ".dynstr", ".gnu_debuglink", ".note.gnu.build-id", ".shstrtab")


def sections_of(path):
    text = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True).stdout
    found = {}
    for match in re.finditer(
            r"\]\s+(\S+)\s+\S+\s+[0-9a-f]+\s+([0-9a-f]+)\s+([0-9a-f]+)\s", text):
        if match.group(1) in SECTIONS and int(match.group(3), 16) > 0:
            found[match.group(1)] = (int(match.group(2), 16), int(match.group(3), 16))
    return found


def damage(data, places, rng):
    name, (offset, size) = rng.choice(places)
    for _ in range(rng.choice((1, 2, 8, 64))):
        at = offset + rng.randrange(size)
        data[at] = rng.choice((0, 0xff, 0x7f, 0x80, rng.randrange(256), data[at] ^ 1 << rng.randrange(8)))
    return name


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    outcomes = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "damaged")
        for path in options.files:
            with open(path, "rb") as file:
                original = file.read()
            places = list(sections_of(path).items())
            places += [("file header", (0, 64)), ("section headers",
                       (int.from_bytes(original[40:48], "little"), 64 * original[60]))]
            text = "".join(f"{a:#x}\n" for a in range(0, len(original), max(1, len(original) // 3000)))
            for number in range(options.rounds):
                data = bytearray(original)
                section = damage(data, places, rng)
                with open(copy, "wb") as file:
                    file.write(data)
                begin = time.monotonic()
                try:
                    result = subprocess.run([options.tool, copy], input=text, capture_output=True,
                                            text=True, errors="replace", timeout=SECONDS)
                    kind = "good" if result.returncode == 0 else f"exit {result.returncode}"
                except subprocess.TimeoutExpired:
                    kind = "hang"
                slowest = max(slowest, time.monotonic() - begin)
                outcomes[kind] += 1
                if kind != "good":
                    kept = f"/tmp/damaged-{options.seed}-{number}"
                    with open(kept, "wb") as file:
                        file.write(data)
                    tail = "" if kind == "hang" else "\n".join(result.stderr.splitlines()[:12])
                    print(f"{path}: {section}: {kind}, kept as {kept}\n{tail}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"{dict(outcomes)}, slowest {slowest:.1f} s, highest peak {peak} kB")
    sys.exit(1 if set(outcomes) != {"good"} else 0)


if __name__ == "__main__":
    main()
