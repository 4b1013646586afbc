#!/usr/bin/env python3
"""Attach and detach, again and again, to programs under load.

    tests/attach/attach_cycles.py [--cycles 500] [--seconds 0.1] [--dormant] [--room MB] [KIND ...]

Each cycle attaches to a program that knows nothing of memlens (with --dormant: that was started so),
records for a moment, detaches, and reads the capture. The program checks its own data all the time;
whatever ends it, hangs it, or shows up as an error in it or in its clients is a failure, as is a
cycle without a complete capture. `ledger` pauses the program around attaching and detaching and
compares its own count of everything it did with the capture's. `start` attaches to programs in
their first 50 ms. With --room, a limit on its address space (RLIMIT_AS) leaves the program so much.

Used by attach_test.py with few cycles; docs/reliability.md has the figures of long runs.
"""
import argparse
import json
import os
import random
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from memlens_testing import BUILD, LIBRARY, MEMLENS, pythons

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "programs")
BUSY = os.path.join(BUILD, "tests", "attach", "busy")
FORKS = os.path.join(BUILD, "tests", "attach", "forks")
LONE = os.path.join(BUILD, "tests", "attach", "lone")
PLUGIN = os.path.join(BUILD, "tests", "programs", "libraries", "plugins",
                      "libmemlens_test_plugin.so")
PATIENCE = 60


class Failure(Exception):
    pass


class Skipped(Exception):
    pass


def dormant_environment():
    return dict(os.environ, LD_PRELOAD=LIBRARY, MEMLENS_DORMANT="1")


class Program:
    """A program under load, started as if there were no memlens, or dormant."""

    def __init__(self, arguments, ready=b"ready\n", dormant=False):
        self.errors = tempfile.TemporaryFile()
        environment = dormant_environment() if dormant else dict(os.environ)
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, env=environment)
        self.pid = self.process.pid
        self.stops = []  # seconds for which a thread of it was held
        if ready is not None and self.process.stdout.readline() != ready:
            raise Failure("the program did not start: " + self.said())

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

    def pid_of(self, _cycle):
        """Of the process that this cycle attaches to."""
        return self.pid

    def leave_room(self, mb):
        """No more than that of address space, beyond the most that it has been seen to have."""
        most = 0
        for _ in range(100):
            with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
                most = max(most, int(file.read().split()[0]) * resource.getpagesize())
            time.sleep(0.002)
        limit = most + mb * 1_000_000
        resource.prlimit(self.pid, resource.RLIMIT_AS, (limit, limit))

    def end(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            stream.close()


class Busy(Program):
    def __init__(self, *arguments, dormant=False):
        super().__init__([BUSY, "4", *arguments], dormant=dormant)
        self.ask("run")


class Redis(Program):
    """A server with an allocator of its own, and clients that see every error."""

    def __init__(self, dormant=False):
        server, benchmark = shutil.which("redis-server"), shutil.which("redis-benchmark")
        if server is None or benchmark is None:
            raise Skipped("redis-server and redis-benchmark are not installed")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self.directory = tempfile.mkdtemp(prefix="memlens-redis-")
        super().__init__([server, "--port", port, "--bind", "127.0.0.1", "--save", "",
                          "--appendonly", "no", "--dir", self.directory], ready=None,
                         dormant=dormant)
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


class Prefork(Program):
    """Cycles take the master and its workers in turn."""

    def __init__(self, dormant=False):
        super().__init__([sys.executable, os.path.join(PROGRAMS, "prefork.py")], dormant=dormant)
        self.pids = [int(pid) for pid in self.process.stdout.readline().split()]

    def pid_of(self, cycle):
        return self.pids[cycle % len(self.pids)]

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        super().end()


class Java(Program):
    def __init__(self, dormant=False):
        java, javac = shutil.which("java"), shutil.which("javac")
        if java is None or javac is None:
            raise Skipped("java and javac are not installed")
        self.directory = tempfile.mkdtemp(prefix="memlens-java-")
        subprocess.run([javac, "-d", self.directory, os.path.join(PROGRAMS, "Work.java")],
                       check=True)
        super().__init__([java, "-Xmx64m", "-cp", self.directory, "Work"], dormant=dormant)

    def end(self):
        super().end()
        shutil.rmtree(self.directory, ignore_errors=True)


def node(dormant=False):
    found = shutil.which("node")
    if found is None:
        raise Skipped("node is not installed")
    return Program([found, os.path.join(PROGRAMS, "server.js")], dormant=dormant)


def asyncio_program(version):
    def start(dormant=False):
        found = pythons().get(version)
        if found is None:
            raise Skipped(f"there is no Python {version}")
        return Program([found, os.path.join(PROGRAMS, "asyncio_workers.py")], dormant=dormant)
    return start


KINDS = {
    "threads": Busy,
    "dlopen": lambda dormant=False: Busy("dlopen", PLUGIN, dormant=dormant),
    "forks": lambda dormant=False: Program([FORKS], dormant=dormant),
    "lone": lambda dormant=False: Program([LONE], dormant=dormant),
    "asyncio-3.11": asyncio_program("3.11"),
    "asyncio-3.14": asyncio_program("3.14"),
    "prefork": Prefork,
    "redis": Redis,
    "node": node,
    "java": Java,
}


def summary(capture):
    read = subprocess.run([MEMLENS, "summary", "--json", capture], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=PATIENCE, check=False,
                          env=dict(os.environ, MEMLENS_NO_CACHE="1"))
    if read.returncode != 0 or read.stderr:
        raise Failure(f"the capture cannot be read: {read.stderr.decode()}")
    return json.loads(read.stdout)


def attach(program, capture, *options, pid=None):
    return subprocess.Popen(
        [MEMLENS, "attach", str(pid or program.pid), "-f", "-o", capture, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(attached):
    try:
        _, said = attached.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        attached.kill()
        raise Failure("attach hangs: " + attached.communicate()[1])
    if attached.returncode != 0:
        raise Failure(f"attach ended with {attached.returncode}: {said}")
    return said


def note_stop(program, said):
    held = re.search(r"held a thread of it for ([0-9.]+) ms", said)
    if held:
        program.stops.append(float(held[1]) * 1e-3)


def cycle(program, capture, number, seconds):
    options = [["--sample", "4K"], ["--no-native"], ["--native"], []][number % 4]
    pid = program.pid_of(number)
    attached = attach(program, capture, "--duration", f"{seconds}", *options, pid=pid)
    if number % 5 == 4:  # the other way to end
        time.sleep(seconds / 2)
        subprocess.run([MEMLENS, "detach", str(pid)], stderr=subprocess.DEVNULL,
                       timeout=PATIENCE, check=False)
    note_stop(program, finish(attached))
    program.check()
    totals = summary(capture)
    if not totals["complete"]:
        raise Failure("the capture is not complete")
    return totals["allocations"]


class Outcome:
    def __init__(self, allocations=0, stops=()):
        self.allocations = allocations
        self.stops = sorted(stops)

    def __str__(self):
        text = f"{self.allocations:,} allocations"
        if self.stops:
            text += (f", a thread held for {statistics.median(self.stops) * 1000:.2f} ms in the "
                     f"median, {self.stops[len(self.stops) * 95 // 100] * 1000:.2f} ms in 95 of "
                     f"100, {self.stops[-1] * 1000:.1f} ms at most")
        return text


def run_cycles(kind, cycles, seconds=0.1, dormant=False, room=None):
    """Raises Failure, or Skipped."""
    program = KINDS[kind](dormant=dormant)
    if room is not None:
        program.leave_room(room)
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
        return Outcome(recorded, program.stops)
    finally:
        program.end()
        if os.path.exists(capture):
            os.unlink(capture)


# Loads libraries, starts threads and children and ends, all within a moment.
SHORT_LIVED = """
import json, subprocess, threading
import ctypes, ssl, sqlite3
threads = [threading.Thread(target=json.loads, args=("[1, 2]",)) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
assert subprocess.run(["sh", "-c", "exit 3"]).returncode == 3
print(sqlite3.connect(":memory:").execute("select 42").fetchone()[0])
"""


def start_cycle(capture, delay):
    """Attaches `delay` seconds after the start of a program. Returns whether it was recorded: it may
    have ended before, or may not be ready to be attached to."""
    with subprocess.Popen([sys.executable, "-c", SHORT_LIVED], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        time.sleep(delay)
        attached = attach(program, capture, "--duration", "1")
        try:
            out, error = program.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            program.kill()
            raise Failure("the program hangs")
        said = attached.communicate(timeout=PATIENCE)[1]
    if (program.returncode, out, error) != (0, "42\n", ""):
        raise Failure(f"the program ended with {program.returncode}: {out!r} {error!r}; {said}")
    if attached.returncode == 125:
        return False
    if attached.returncode != 0:
        raise Failure(f"attach ended with {attached.returncode}: {said}")
    return True


def run_start_cycles(cycles):
    capture = tempfile.mktemp(prefix="memlens-start-", suffix=".mlens")
    recorded = 0
    try:
        for number in range(cycles):
            try:
                recorded += start_cycle(capture, random.Random(number).uniform(0, 0.05))
            except Failure as failure:
                raise Failure(f"start, cycle {number + 1}: {failure}") from None
    finally:
        if os.path.exists(capture):
            os.unlink(capture)
    return recorded


def wait_for(attached, words):
    for line in attached.stderr:
        if words in line:
            return
    raise Failure("attach ended without a word of " + words)


def ledger_cycle(program, capture, work, dormant=True):
    """One attachment between two pauses; the capture's totals and what the program did."""
    before = [int(n) for n in program.ask("pause").split()[1:]]
    attached = attach(program, capture)
    if dormant:
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


def run_ledger(cycles, work=0.2, dormant=False):
    program = Busy(dormant=dormant)
    capture = tempfile.mktemp(prefix="memlens-ledger-", suffix=".mlens")
    try:
        for number in range(cycles):
            recorded, done, _ = ledger_cycle(program, capture, work, dormant)
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
    parser.add_argument("--dormant", action="store_true", help="to programs that are started so")
    parser.add_argument("--room", type=int, metavar="MB", help="of address space that is left it")
    parser.add_argument("kinds", nargs="*", metavar="KIND",
                        help=", ".join([*KINDS, "start", "ledger"]) + "; all of them by default")
    arguments = parser.parse_args()
    failed = False
    for kind in arguments.kinds or [*KINDS, "start", "ledger"]:
        start = time.monotonic()
        try:
            if kind == "ledger":
                run_ledger(arguments.cycles, dormant=arguments.dormant)
                result = "totals equal"
            elif kind == "start":
                result = f"{run_start_cycles(arguments.cycles)} recorded"
            else:
                result = run_cycles(kind, arguments.cycles, arguments.seconds, arguments.dormant,
                                    arguments.room)
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
