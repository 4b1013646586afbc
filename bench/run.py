#!/usr/bin/env python3
"""Measures what recording costs, beside the untracked program and beside its peers.

Every mode of a workload runs in turn, round after round, and each round's time is divided by the
untracked program's time of the same round; the table shows the median of those ratios. Peers and
modules that are not on the machine are named as missing.

    bench/run.py [--memlens build/bin/memlens] [--python PYTHON] [--memray PATH] [--rounds 5]
                 [--peer-rounds 2] [--only NAME ...] [--modes MODE ...] [--json FILE]
"""
import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile

import native
import redis
import scripts
from measure import Workload, measure, print_rows

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


class Tools:
    """Where the programs to compare are; None where one is missing."""

    def __init__(self, arguments):
        self.memlens = os.path.abspath(arguments.memlens)
        self.python = arguments.python
        self.memray = arguments.memray or shutil.which("memray")
        self.heaptrack = shutil.which("heaptrack")


def workloads(tools, wanted, output, directory):
    """All that are wanted and can run here, one after the other."""
    for name in filter(wanted, scripts.SCRIPTS):
        missing = scripts.missing_module(tools, name)
        if missing:
            print(f"{name}: {tools.python} has no {missing}, left out")
            continue
        yield Workload(name, scripts.modes(tools, scripts.path_of(name), output))
    for name in filter(wanted, native.PROGRAMS):
        yield Workload(name, native.modes(tools, native.build(name, directory), output))
    if wanted(redis.NAME):
        if redis.is_there():
            yield Workload(redis.NAME, native.modes(tools, redis.command(directory), output),
                           redis.load(directory))
        else:
            print("redis-server: not on this machine, left out")


def argument_parser(description, rounds):
    """With what every benchmark here is asked for."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memlens", default=os.path.join(ROOT, "build", "bin", "memlens"))
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--memray", help="a memray program, made for the same Python")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--only", nargs="*", help="workloads whose names contain one of these")
    parser.add_argument("--json", help="write the rows there too")
    return parser


def main():
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument("--peer-rounds", type=int, default=2, help="rounds with the peers")
    parser.add_argument("--modes", nargs="*", help="only modes with these names (and untracked)")
    arguments = parser.parse_args()
    tools = Tools(arguments)

    def wanted(name):
        return not arguments.only or any(part in name for part in arguments.only)

    for peer in ("memray", "heaptrack"):
        if getattr(tools, peer) is None:
            print(f"{peer}: not on this machine, left out")
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        output = os.path.join(directory, "capture")
        for workload in workloads(tools, wanted, output, directory):
            if arguments.modes:
                workload.modes = {mode: command for mode, command in workload.modes.items()
                                  if mode == "untracked" or mode in arguments.modes}
            new = measure(tools, workload, output, arguments.rounds, arguments.peer_rounds,
                          directory)
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
