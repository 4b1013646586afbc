#!/usr/bin/env python3
"""Everyday programs with memlens and without: the same exit code and output, and nothing hangs.

    everyday.py                  the list of programs.txt
    everyday.py --suite          those marked with * (what the test suite runs)
    everyday.py --walk           every executable in PATH, with --version and with --help
    everyday.py --only curl,git  some of them

A command runs twice without memlens and once with it. What differs between the first two is nothing
to hold against memlens: numbers in it are not compared, and if it differs still, that stream is not.
--walk runs as root in namespaces of its own (no network, nothing but an empty directory to write to),
and never what excluded.txt names.
"""
import argparse
import concurrent.futures
import dataclasses
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("MEMLENS_BUILD", os.path.join(SOURCE, "build")))
MEMLENS = os.path.join(BUILD, "bin", "memlens")

# Without memlens a command gets so long; with it, that much longer.
TIME_LIMIT_SECONDS = 30
SLOWER = 10
SLACK_SECONDS = 20

OWN_PREFIX = b"memlens: "  # of what memlens itself says on stderr


@dataclasses.dataclass
class Command:
    name: str
    arguments: list  # of the command line
    needs: list = dataclasses.field(default_factory=list)
    suite: bool = False


@dataclasses.dataclass
class Outcome:
    code: object  # exit code, -signal, or "timeout"
    out: bytes = b""
    err: bytes = b""
    seconds: float = 0.0


@dataclasses.dataclass
class Verdict:
    command: Command
    result: str  # "same", "different", "absent", "slow": did not end without memlens either
    recorded: bool = False
    differences: list = dataclasses.field(default_factory=list)


# -- what is run

def read_list(path):
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]


def listed_commands(suite_only):
    commands = []
    for line in read_list(os.path.join(HERE, "programs.txt")):
        needs, text = line.split("\t", 1)
        suite = needs.startswith("*")
        needs = needs.lstrip("*").split(",")
        if suite or not suite_only:
            commands.append(Command(text, ["/bin/sh", "-c", text], needs, suite))
    return commands


def walked_commands(directories, options):
    excluded = read_list(os.path.join(HERE, "excluded.txt"))
    seen = set()
    commands = []
    for directory in directories:
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            path = os.path.join(directory, name)
            real = os.path.realpath(path)
            if name in seen or not os.path.isfile(real) or not os.access(path, os.X_OK):
                continue
            seen.add(name)
            if any(fnmatch.fnmatch(name, pattern) for pattern in excluded):
                continue
            for option in options:
                commands.append(Command(f"{name} {option}", [path, option], [path]))
    return commands


# -- running

def prepare(directory):
    """The files that the listed commands find."""
    with open(os.path.join(directory, "text.txt"), "w", encoding="utf-8") as file:
        file.write("".join(f"line {i} with a word in it\n" for i in range(1000)))
    with open(os.path.join(directory, "numbers.txt"), "w", encoding="utf-8") as file:
        file.write("".join(f"{i * 7919 % 1000}\n" for i in range(1000)))
    with open(os.path.join(directory, "page.html"), "w", encoding="utf-8") as file:
        file.write("<html><body><p>text</p></body></html>\n")
    archive = os.path.join(directory, "archive")
    os.mkdir(archive)
    with open(os.path.join(archive, "data.json"), "w", encoding="utf-8") as file:
        json.dump({"numbers": [1, 2, 3], "name": "word"}, file)
    shutil.copy(os.path.join(directory, "text.txt"), archive)
    if shutil.which("git"):
        repository = os.path.join(directory, "repository")
        git = ["git", "-C", repository, "-c", "user.name=A", "-c", "user.email=a@example.org"]
        environment = dict(os.environ, GIT_AUTHOR_DATE="2001-01-01T00:00:00Z",
                           GIT_COMMITTER_DATE="2001-01-01T00:00:00Z")
        subprocess.run(["git", "init", "-q", repository], check=True)
        shutil.copy(os.path.join(directory, "text.txt"), repository)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", "first"], check=True, env=environment)


def environment_in(directory):
    kept = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH", "JAVA_HOME", "GOROOT",
                                             "RUSTUP_HOME", "CARGO_HOME") if key in os.environ}
    return dict(kept, HOME=directory, TMPDIR=directory, LANG="C.UTF-8", TERM="dumb", TZ="UTC",
                RUSTUP_HOME=kept.get("RUSTUP_HOME", os.path.expanduser("~/.rustup")))


def isolated(arguments, directory):
    """In namespaces of its own: no network, its own processes, and one directory to write to."""
    # No exec: as process 1 a program may be another than it is (systemd).
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && cd "$0" || exit; "$@"; exit $?'
    return ["unshare", "-n", "-p", "-f", "-m", "--mount-proc", "--kill-child", "/bin/sh", "-c",
            script, directory, *arguments]


def run(arguments, directory, limit, isolate):
    if isolate:
        arguments = isolated(arguments, directory)
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(arguments, cwd=directory, env=environment_in(directory),
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   start_new_session=True)
        try:
            code = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            code = "timeout"
        # What the command has left behind in the background goes with it.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        out.seek(0)
        err.seek(0)
        return Outcome(code, out.read(), err.read(), time.monotonic() - began)


# -- comparing

def own_lines_removed(err):
    return b"".join(line for line in err.splitlines(keepends=True)
                    if not line.startswith(OWN_PREFIX))


def without_numbers(data):
    return re.sub(rb"0x[0-9a-fA-F]+|[0-9]+(\.[0-9]+)*|\b[0-9a-fA-F]{8,}\b", b"#", data)


def same_stream(first, second, tracked):
    if first == second:
        return tracked == first
    if without_numbers(first) == without_numbers(second):
        return without_numbers(tracked) == without_numbers(first)
    return True  # it is another one each time


def compare(first, second, tracked):
    differences = []
    if first.code == second.code and tracked.code != first.code:
        differences.append(f"exit code {tracked.code}, was {first.code}")
    if not same_stream(first.out, second.out, tracked.out):
        differences.append(f"stdout {tracked.out[-300:]!r}, was {first.out[-300:]!r}")
    if not same_stream(first.err, second.err, own_lines_removed(tracked.err)):
        differences.append(f"stderr {tracked.err[-300:]!r}, was {first.err[-300:]!r}")
    return differences


def clear(directory):
    """Makes the directory empty. What a program left running (go's telemetry) may still write there."""
    for _ in range(100):
        shutil.rmtree(directory, ignore_errors=True)
        try:
            os.mkdir(directory)
            return
        except FileExistsError:
            time.sleep(0.05)
    raise RuntimeError(f"{directory} cannot be emptied: a program goes on writing there")


def check(command, isolate=False, with_files=True):
    """Runs one command with and without memlens, in three fresh directories of the same name."""
    if any(shutil.which(program) is None for program in command.needs):
        return Verdict(command, "absent")
    base = tempfile.mkdtemp(prefix="everyday-")
    directory = os.path.join(base, "home")
    capture = os.path.join(directory, ".memlens-capture")
    recorder = [MEMLENS, "run", "-q", "-f", "-o", capture, "--"]

    def once(arguments, limit):
        clear(directory)
        if with_files:
            prepare(directory)
        return run(arguments, directory, limit, isolate)

    try:
        first = once(command.arguments, TIME_LIMIT_SECONDS)
        if first.code == "timeout":
            return Verdict(command, "slow")
        second = once(command.arguments, TIME_LIMIT_SECONDS)
        limit = SLOWER * first.seconds + SLACK_SECONDS
        tracked = once([*recorder, *command.arguments], limit)
        differences = compare(first, second, tracked)
        if differences:  # once more: the machine may be to blame
            tracked = once([*recorder, *command.arguments], limit)
            differences = compare(first, second, tracked)
        recorded = os.path.exists(capture) and b"nothing was recorded" not in tracked.err
        return Verdict(command, "different" if differences else "same", recorded, differences)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def check_all(commands, jobs, isolate, with_files, verbose):
    verdicts = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(check, command, isolate, with_files) for command in commands]
        for future in futures:
            verdict = future.result()
            verdicts.append(verdict)
            if verbose or verdict.result != "same":
                print(f"{verdict.result:9} {verdict.command.name}", flush=True)
                for difference in verdict.differences:
                    print(f"          {difference}", flush=True)
    return verdicts


def print_counts(verdicts, walked):
    def programs(result):
        return {v.command.needs[0] for v in verdicts if v.result == result}
    counts = {result: sum(1 for v in verdicts if v.result == result)
              for result in ("same", "different", "slow", "absent")}
    recorded = {v.command.needs[0] for v in verdicts if v.recorded}
    print(f"{len(verdicts)} commands: {counts['same']} the same, {counts['different']} different, "
          f"{counts['slow']} that do not end by themselves, {counts['absent']} absent")
    if walked:
        compared = programs("same") | programs("different")
        print(f"{len(compared)} programs, of which {len(recorded)} were recorded, "
              f"{len(programs('different'))} differ")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--suite", action="store_true")
    parser.add_argument("--walk", action="store_true")
    parser.add_argument("--only", help="names of programs, joined by commas")
    parser.add_argument("--in", dest="directories", default=os.environ["PATH"],
                        help="with --walk: these directories, joined by colons, instead of PATH")
    parser.add_argument("--with", dest="options", default="--version,--help",
                        help="with --walk: these options, joined by commas")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="names each command when it is done")
    options = parser.parse_args()
    if options.walk and os.geteuid() != 0:
        sys.exit("everyday.py: --walk isolates what it runs, which takes root")
    if options.walk:
        commands = walked_commands(options.directories.split(":"), options.options.split(","))
    else:
        commands = listed_commands(options.suite)
    if options.only:
        wanted = set(options.only.split(","))
        commands = [c for c in commands
                    if wanted & {os.path.basename(program) for program in c.needs}]
    verdicts = check_all(commands, options.jobs, options.walk, not options.walk, options.verbose)
    print_counts(verdicts, options.walk)
    return 1 if any(v.result == "different" for v in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
