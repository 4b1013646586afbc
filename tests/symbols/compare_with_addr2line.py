#!/usr/bin/env python3
"""Compare the symbolizer with `addr2line -a -i -f` on addresses spread over real files.

usage: compare_with_addr2line.py RESOLVE_ADDRESSES [--count N] [--show N] FILE...

Addresses are random instructions' (plus random bytes) of the executable sections, from a fixed seed.
What must be equal: the number of frames of an address, each frame's file and line, and each frame's
function where both tools have a linkage name. Allowed, and counted:

  nearest     addr2line gives the nearest symbol below an address that no symbol covers
  alias       another name of the same address (`read` for `__libc_read`)
  symbol      addr2line names the innermost inlined function by the symbol it was inlined into, or
              gives the object's FILE symbol for a file, without a line
  llvm        addr2line is wrong (bfd 2.40 takes some files of DWARF 5 tables for their neighbours,
              and the padding between functions for the line before it):
              llvm-symbolizer, asked about every address the two disagree on, says what we say
"""
import argparse
import bisect
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter


DIFFERENT = ("frames", "line", "function")


def executable_sections(path):
    text = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True).stdout
    found = []
    for line in text.splitlines():
        match = re.match(
            r"\s*\[\s*\d+\]\s+(\S+)\s+PROGBITS\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+\S+\s+(\S*X\S*)",
            line)
        if match and not match.group(1).startswith(".plt"):
            found.append((int(match.group(2), 16), int(match.group(4), 16)))
    return found


def pick_addresses(path, count, rng):
    sections = executable_sections(path)
    total = sum(size for _, size in sections)
    picked = set()
    while len(picked) < min(count, total):
        at = rng.randrange(total)
        for start, size in sections:
            if at < size:
                picked.add(start + at)
                break
            at -= size
    return sorted(picked)


def parse(output):
    """{address: [(function, file, line)]}, innermost first."""
    result = {}
    frames = None
    lines = iter(output.splitlines())
    for line in lines:
        if re.fullmatch(r"0x[0-9a-f]{16}", line):
            frames = result[int(line, 16)] = []
            continue
        place = next(lines, "??:0")
        place = re.sub(r" \(discriminator \d+\)$", "", place)
        file, _, number = place.rpartition(":")
        if file == "??":
            file = ""
        number = int(number) if number.isdigit() else 0
        frames.append((line, os.path.normpath(file) if file else "", number))
    return result


class SymbolTable:
    """Which symbols start where, and reach how far, as readelf tells."""

    def __init__(self, path):
        self.by_start = {}
        debug = debug_file(path)
        for file in [path] + ([debug] if debug else []):
            text = subprocess.run(["readelf", "-sW", file], capture_output=True, text=True).stdout
            for line in text.splitlines():
                fields = line.split()
                if len(fields) < 8 or fields[3] not in ("FUNC", "IFUNC", "NOTYPE"):
                    continue
                if fields[6] == "UND":
                    continue
                size = int(fields[2], 0)
                name = fields[7].split("@")[0]
                self.by_start.setdefault(int(fields[1], 16), {})[name] = size
        self.starts = sorted(self.by_start)

    def names_covering(self, address):
        names = set()
        at = bisect.bisect_right(self.starts, address)
        for start in self.starts[max(0, at - 12):at]:
            names |= {n for n, size in self.by_start[start].items()
                      if address < start + size or size == 0}
        return names


def debug_file(path):
    text = subprocess.run(["readelf", "-nW", path], capture_output=True, text=True).stdout
    match = re.search(r"Build ID: ([0-9a-f]+)", text)
    if not match:
        return None
    build_id = match.group(1)
    candidate = f"/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
    return candidate if os.path.exists(candidate) else None


def strip_clone(name):
    return re.sub(r"(\.(part|isra|constprop|cold|lto_priv|llvm|localalias|clone)(\.\d+)?)+$", "",
                  name.split("@")[0])


def last_name(name):
    """Of a demangled name, the last part without template arguments."""
    depth = 0
    kept = []
    for character in name.replace("operator<<", "operator#").replace("operator->", "operator#"):
        depth += character == "<"
        if depth == 0:
            kept.append(character)
        depth -= character == ">" and depth > 0
    return "".join(kept).split("::")[-1].strip()


def same_function(ours, theirs, is_outermost, address, symbols):
    ours_plain, theirs_plain = strip_clone(ours), strip_clone(theirs)
    if ours_plain == theirs_plain or theirs == "??":
        return "equal"
    # Without a linkage name we show the scopes, addr2line the last name; a lambda's body is shown
    # by the lambda's name.
    if last_name(ours_plain) == last_name(theirs_plain):
        return "equal"
    if theirs_plain.startswith("operator()") and "lambda" in ours:
        return "equal"
    if is_outermost and ours_plain in {strip_clone(n) for n in symbols.names_covering(address)}:
        return "alias"
    return "different"


def same_place(mine, other):
    """Paths count by their last parts: tools join relative directories differently."""
    if mine[2] != other[2]:
        return False
    return mine[1] == other[1] or os.path.basename(mine[1]) == os.path.basename(other[1])


def judge(ours, theirs, address, symbols):
    """How the two tools' frames of one address compare."""
    if len(theirs) == 1 and len(ours) == 1 and theirs[0][2] == 0 and ours[0][2] == 0:
        name = ours[0][0]
        if "+0x" in name:
            return "equal" if theirs[0][0] == "??" else "nearest"
        same = same_function(name, theirs[0][0], True, address, symbols)
        return "symbol" if same != "different" and theirs[0][1] else same
    if len(ours) != len(theirs):
        return "frames"
    kind = "equal"
    for index, (mine, other) in enumerate(zip(ours, theirs)):
        if not same_place(mine, other):
            return "line"
        same = same_function(mine[0], other[0], index == len(ours) - 1, address, symbols)
        if same == "different" and "+0x" in mine[0]:
            kind = "nearest"
        elif same == "different" and index == 0 and strip_clone(other[0]) in {
                strip_clone(n) for n in symbols.names_covering(address)}:
            kind = "symbol"
        elif same == "different":
            return "function"
        elif same == "alias":
            kind = "alias"
    return kind


def ask_llvm(path, addresses):
    """{address: [(function, file, line)]} by llvm-symbolizer; empty when it is not installed."""
    if not addresses or not shutil.which("llvm-symbolizer"):
        return {}
    text = "".join(f"{a:#x}\n" for a in addresses)
    output = subprocess.run(["llvm-symbolizer", "--inlining", "--no-demangle", "-e", path],
                            input=text, capture_output=True, text=True, check=True).stdout
    answers = {}
    for address, block in zip(addresses, output.strip("\n").split("\n\n")):
        lines = block.splitlines()
        frames = []
        for function, place in zip(lines[::2], lines[1::2]):
            file, line, _column = place.rsplit(":", 2)
            frames.append((function, "" if file == "??" else os.path.normpath(file), int(line)))
        answers[address] = frames
    return answers


def compare(tool, path, count, show, rng):
    addresses = pick_addresses(path, count, rng)
    text = "".join(f"{a:#x}\n" for a in addresses)
    mine = subprocess.run([tool, path], input=text, capture_output=True, text=True, check=True)
    ours = parse(mine.stdout)
    other = subprocess.run(["addr2line", "-a", "-i", "-f", "-e", path], input=text,
                           capture_output=True, text=True, check=True)
    theirs = parse(other.stdout)
    symbols = SymbolTable(path)
    kinds = Counter()
    judged = {a: judge(ours[a], theirs[a], a, symbols) for a in addresses}
    doubtful = [a for a in addresses if judged[a] in DIFFERENT]
    for address, answer in ask_llvm(path, doubtful).items():
        mine_frames = ours[address]
        if len(answer) == len(mine_frames) and all(map(same_place, mine_frames, answer)):
            judged[address] = "llvm"
    for address in addresses:
        kind = judged[address]
        kinds[kind] += 1
        if kind in DIFFERENT and kinds[kind] <= show:
            print(f"  {path} {address:#x} {kind}:\n    ours   {ours[address]}\n"
                  f"    theirs {theirs[address]}")
    with_lines = sum(1 for a in addresses if theirs[a][0][2])
    frames = sum(len(theirs[a]) for a in addresses)
    print(f"{path}: {len(addresses)} addresses, {with_lines} with lines, {frames} frames: "
          f"{dict(kinds)}; {mine.stderr.strip()}")
    return kinds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--allowed", type=float, default=0.0,
                        help="share of addresses that may differ")
    options = parser.parse_args()
    rng = random.Random(20260101)
    total = Counter()
    for path in options.files:
        total += compare(options.tool, path, options.count, options.show, rng)
    different = sum(total[kind] for kind in DIFFERENT)
    addresses = sum(total.values())
    print(f"total {addresses} addresses, {different} differ: {dict(total)}")
    sys.exit(1 if different > options.allowed * addresses else 0)


if __name__ == "__main__":
    main()
