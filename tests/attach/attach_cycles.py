#!/usr/bin/env python3
"""Attach and detach, again and again, to programs under load.

    tests/attach/attach_cycles.py [--cycles 500] [--seconds 0.1] [--late] [KIND ...]

Each cycle attaches to a program that was started dormant, records for a moment, detaches, and
reads the capture. The program checks its own data all the time; whatever ends it, hangs it, or shows
up as an error in it is a failure, as is a cycle without a complete capture. `ledger` pauses the program
around attaching and detaching and compares its own count of everything it did with the capture's.

Used by attach_test.py with few cycles; docs/reliability.md has the figures of long runs.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from memlens_testing import BUILD, LIBRARY, MEMLENS, pythons

HERE = os.path.dirname(os.path.abspath(__file__))
BUSY = os.path.join(BUILD, "tests", "attach", "busy")
LATE_LOADER = os.path.join(BUILD, "tests", "attach", "liblate_loader.so")
FORKS = os.path.join(BUILD, "tests", "attach", "forks")
PLUGIN = os.path.join(BUILD, "tests", "programs", "libraries", "plugins",
                      "libmemlens_test_plugin.so")
PATIENCE = 60


class Failure(Exception):
    pass


class Skipped(Exception):
    pass


def dormant_environment():
    return dict(os.environ, LD_PRELOAD=LIBRARY, MEMLENS_DORMANT="1")


def late_environment():
    return dict(os.environ, LD_PRELOAD=LATE_LOADER, MEMLENS_LATE_LIBRARY=LIBRARY)


def wait_for_gate(pid):
    """Until the library is loaded and can be asked."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            if "memfd:dormant-memlens" in maps.read():
                return
        if time.monotonic() > deadline:
            raise Failure("the library was not loaded")
        time.sleep(0.01)


class Program:
    """A program under load, started dormant, or (`late`) without memlens, which is loaded into it."""

    late = False

    def __init__(self, arguments, ready=b"ready\n"):
        self.errors = tempfile.TemporaryFile()
        environment = late_environment() if self.late else dormant_environment()
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, env=environment)
        self.pid = self.process.pid
        if ready is not None and self.process.stdout.readline() != ready:
            raise Failure("the program did not start: " + self.said())
        wait_for_gate(self.pid)

    def ask(self, word):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().strip()
        if not answer:
            raise Failure(f"the program ended: {self.process.wait()} {self.said()}")
        return answer

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def check(self):
        if self.process.poll() is not None:
            raise Failure(f"the program ended: {self.process.returncode} {self.said()}")
        said = self.said()
        if said:
            raise Failure("the program said: " + said)

    def end(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            stream.close()


class Busy(Program):
    def __init__(self, *arguments):
        super().__init__([BUSY, "4", *arguments])
        self.ask("run")


class Redis(Program):
    """A server with an allocator of its own, and clients that see every error."""

    def __init__(self):
        server, benchmark = shutil.which("redis-server"), shutil.which("redis-benchmark")
        if server is None or benchmark is None:
            raise Skipped("redis-server and redis-benchmark are not installed")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self.directory = tempfile.mkdtemp(prefix="memlens-redis-")
        super().__init__([server, "--port", port, "--bind", "127.0.0.1", "--save", "",
                          "--appendonly", "no", "--dir", self.directory], ready=None)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(port)), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Failure("redis-server does not answer")
                time.sleep(0.05)
        self.load = subprocess.Popen([benchmark, "-h", "127.0.0.1", "-p", port, "-l", "-q", "-r",
                                      "1000", "-d", "300", "-t", "set,get,lpush,lpop"],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        os.set_blocking(self.load.stderr.fileno(), False)

    def check(self):
        super().check()
        errors = self.load.stderr.read()
        if self.load.poll() is not None or errors:
            raise Failure(f"redis-benchmark: {self.load.returncode} {errors}")

    def end(self):
        self.load.kill()
        self.load.wait()
        self.load.stderr.close()
        super().end()
        shutil.rmtree(self.directory, ignore_errors=True)


def asyncio_program():
    found = pythons()
    name = "3.11" if "3.11" in found else next(iter(found), None)
    if name is None:
        raise Skipped("no Python to run")
    return Program([found[name], os.path.join(HERE, "programs", "asyncio_workers.py")])


KINDS = {
    "threads": Busy,
    "dlopen": lambda: Busy("dlopen", PLUGIN),
    "forks": lambda: Program([FORKS]),
    "asyncio": asyncio_program,
    "redis": Redis,
}


def summary(capture):
    read = subprocess.run([MEMLENS, "summary", "--json", capture], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=PATIENCE, check=False,
                          env=dict(os.environ, MEMLENS_NO_CACHE="1"))
    if read.returncode != 0 or read.stderr:
        raise Failure(f"the capture cannot be read: {read.stderr.decode()}")
    return json.loads(read.stdout)


def attach(program, capture, *options):
    return subprocess.Popen([MEMLENS, "attach", str(program.pid), "-f", "-o", capture, *options],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(attached):
    try:
        _, said = attached.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        attached.kill()
        raise Failure("attach hangs: " + attached.communicate()[1])
    if attached.returncode != 0:
        raise Failure(f"attach ended with {attached.returncode}: {said}")


def cycle(program, capture, number, seconds):
    options = [["--sample", "4K"], ["--no-native"], ["--native"], []][number % 4]
    attached = attach(program, capture, "-q", "--duration", f"{seconds}", *options)
    if number % 5 == 4:  # the other way to end
        time.sleep(seconds / 2)
        subprocess.run([MEMLENS, "detach", str(program.pid)], stderr=subprocess.DEVNULL,
                       timeout=PATIENCE, check=False)
    finish(attached)
    program.check()
    totals = summary(capture)
    if not totals["complete"]:
        raise Failure("the capture is not complete")
    return totals["allocations"]


def run_cycles(kind, cycles, seconds=0.1):
    """Returns how many allocations were recorded. Raises Failure, or Skipped."""
    program = KINDS[kind]()
    capture = tempfile.mktemp(prefix="memlens-attach-", suffix=".mlens")
    recorded = 0
    try:
        for number in range(cycles):
            try:
                recorded += cycle(program, capture, number, seconds)
            except Failure as failure:
                raise Failure(f"{kind}, cycle {number + 1}: {failure}") from None
        if recorded == 0:
            raise Failure(f"{kind}: nothing was recorded in any cycle")
        return recorded
    finally:
        program.end()
        if os.path.exists(capture):
            os.unlink(capture)


def wait_for(attached, words):
    for line in attached.stderr:
        if words in line:
            return
    raise Failure("attach ended without a word of " + words)


def ledger_cycle(program, capture, work):
    """One attachment between two pauses; the capture's totals and what the program did."""
    before = [int(n) for n in program.ask("pause").split()[1:]]
    attached = attach(program, capture)
    if not program.late:
        wait_for(attached, "waiting for")  # asked, and nothing has been allocated since
        program.ask("ping")
    wait_for(attached, "attached to")
    program.ask("run")
    time.sleep(work)
    after = [int(n) for n in program.ask("pause").split()[1:]]
    subprocess.run([MEMLENS, "detach", str(program.pid)], timeout=PATIENCE, check=True)
    finish(attached)
    totals = summary(capture)
    return ([totals["allocations"], totals["allocated_bytes"], totals["frees"]
             + totals["unmatched_frees"]],
            [b - a for a, b in zip(before, after)], totals)


def run_ledger(cycles, work=0.2):
    program = Busy()
    capture = tempfile.mktemp(prefix="memlens-ledger-", suffix=".mlens")
    try:
        for number in range(cycles):
            recorded, done, _ = ledger_cycle(program, capture, work)
            if recorded != done:
                raise Failure(f"ledger, cycle {number + 1}: recorded {recorded}, done {done}")
            program.ask("run")
            program.check()
    finally:
        program.end()
        if os.path.exists(capture):
            os.unlink(capture)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--late", action="store_true",
                        help="programs that were started without memlens, which is loaded later")
    parser.add_argument("kinds", nargs="*", metavar="KIND",
                        help=", ".join([*KINDS, "ledger"]) + "; all of them by default")
    arguments = parser.parse_args()
    Program.late = arguments.late
    failed = False
    for kind in arguments.kinds or [*KINDS, "ledger"]:
        start = time.monotonic()
        try:
            if kind == "ledger":
                run_ledger(arguments.cycles)
                result = "totals equal"
            else:
                result = f"{run_cycles(kind, arguments.cycles, arguments.seconds):,} allocations"
        except Skipped as reason:
            result = f"skipped: {reason}"
        except Failure as failure:
            failed = True
            result = f"FAILED: {failure}"
        print(f"{kind}: {arguments.cycles} cycles in {time.monotonic() - start:.0f} s, {result}",
              flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
