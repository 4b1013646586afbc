"""Servers under load, with memlens and without: the clients' results must be identical, the stop clean.

On demand (some minutes): python3 tests/servers/run_servers.py [NAME ...]
Prints a line a server; ends with 1 if anything differed. docs/reliability.md keeps the results.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from comparison import differences, run_server  # noqa: E402
from memlens_testing import MEMLENS  # noqa: E402
from servers import SERVERS  # noqa: E402


def compare(kind, capture):
    plain = run_server(kind)
    recorded = run_server(kind, [MEMLENS, "run", "-q", "-f", "-o", capture, "--"])
    found = differences(kind, plain, recorded)
    summary = {}
    if os.path.exists(capture):
        read = subprocess.run([MEMLENS, "summary", capture, "--json"], capture_output=True, text=True)
        if read.returncode == 0:
            summary = json.loads(read.stdout)
        else:
            found.append("the capture cannot be read: " + read.stderr.strip()[-300:])
    return plain, recorded, summary, found


def main():
    wanted = sys.argv[1:]
    failed = False
    for kind in SERVERS:
        if wanted and kind.name() not in wanted:
            continue
        if kind.missing():
            print(f"{kind.name():14} skipped: no {', '.join(kind.missing())}", flush=True)
            continue
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o777)
            plain, recorded, summary, found = compare(kind, os.path.join(directory, "s.mlens"))
        failed |= bool(found)
        facts = (f"{summary['processes']} processes, {summary['allocations']:,} allocations"
                 if summary else "no capture")
        print(f"{kind.name():14} {'DIFFERS: ' + '; '.join(found) if found else 'identical'}"
              f" ({plain.seconds:.1f} s, recorded {recorded.seconds:.1f} s; exit code "
              f"{recorded.code}; {facts})", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
