#!/usr/bin/env python3
"""Installs the wheel as users do, into each interpreter there is, and records with it. On demand:

    try_wheel.py WHEEL [--uv PATH] [--only 3.8,3.15] [--root FOLDER]...

Interpreters are those that the test suite takes (MEMLENS_PYTHONS names others). With --root those of a
whole system in that folder, by chroot (root alone). Needs the network: pip and uv fetch pytest.

Every number is compared with what the recorded program itself says. One line an interpreter and way;
the last line counts, and the exit code is 1 when something went wrong.
"""
import argparse
import base64
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(os.path.dirname(HERE), "support")
TIME_LIMIT_SECONDS = 600

#: Keeps blocks on a line of their own and prints what Python says of them.
KEEP = '''
import sys

def keep(count):
    kept = [None] * count
    for place in range(count):
        kept[place] = bytes(10000 + place)
    return kept
'''
SCRIPT = KEEP + '''
kept = keep(1000)
if __name__ == "__main__":
    print(len(kept), sum(map(sys.getsizeof, kept)), sys.prefix)
'''
TRACKED = KEEP + '''
import memlens
with memlens.Tracker("tracked.mlens"):
    kept = keep(1000)
print(len(kept), sum(map(sys.getsizeof, kept)), sys.prefix)
'''
CONSOLE = KEEP + '''
def main():
    kept = keep(1000)
    print(len(kept), sum(map(sys.getsizeof, kept)), sys.prefix)
    sys.stdout.flush()
    import os
    main.kept = kept
'''
SUITE = '''
import pytest
from keeper import keep

kept = []
def test_keeps():
    kept.extend(keep(1000))

@pytest.mark.limit_memory("5 MB")
def test_above():
    assert keep(1000)
'''


class Wrong(Exception):
    """What did not come out as it should."""


def run(command, folder, code=0, path=None):
    """stdout of a command in that folder, without a hint of this process's own environment."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME")
                   and not name.startswith("MEMLENS_")}
    environment["PATH"] = os.pathsep.join((path or []) + ["/usr/bin", "/bin"])
    environment["UV_LINK_MODE"] = "copy"
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    result = subprocess.run(list(map(str, command)), cwd=folder, env=environment, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=TIME_LIMIT_SECONDS, check=False)
    if result.returncode != code:
        raise Wrong("%s ended with %d\n%s%s" % (" ".join(map(str, command)), result.returncode,
                                                result.stdout[-1500:], result.stderr[-1500:]))
    return result.stdout


def make_console_wheel(folder):
    """A package with a console script, as any other project's."""
    info = "keeper-1.0.dist-info/"
    files = {"keeper.py": CONSOLE, info + "METADATA": "Metadata-Version: 2.1\nName: keeper\nVersion: 1.0\n",
             info + "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
             info + "entry_points.txt": "[console_scripts]\nkeeper = keeper:main\n"}
    path = os.path.join(folder, "keeper-1.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as wheel:
        record = ""
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            record += "%s,sha256=%s,%d\n" % (name, digest.rstrip(b"=").decode(), len(text))
        wheel.writestr(info + "RECORD", record + info + "RECORD,,\n")
    return path


class Way:
    """One interpreter with the wheel installed one way; how programs are called then."""

    def __init__(self, python, tools, folder):
        self.python, self.tools, self.folder = python, tools, folder
        self.path = [os.path.dirname(tools.uv)] if tools.uv else []
        self.prefix = None  # of the environment that scripts shall run in
        for name, text in (("app.py", SCRIPT), ("tracked.py", TRACKED), ("test_it.py", SUITE)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)

    def run(self, *command, code=0):
        return run(command, self.folder, code, self.path)

    def memlens(self):
        raise NotImplementedError

    # What is the same in all ways.

    def check_capture(self, capture, said, view="leaks"):
        """The line that keeps has recorded exactly what the program said."""
        blocks, size, prefix = said.split()[:3]
        if self.prefix and os.path.realpath(prefix) != os.path.realpath(self.prefix):
            raise Wrong("%s ran in %s" % (capture, prefix))
        report = json.loads(self.run(*self.memlens(), view, capture, "--json"))
        found = [stack for stack in report["stacks"]
                 if stack["frames"][0]["function"] == "keep"
                 and stack["frames"][0].get("source", "").startswith("kept[place] = bytes")]
        sums = sum(s["blocks"] for s in found), sum(s["bytes"] for s in found)
        # The number of a place above 256 is an object too, alive while the next is made; what is
        # kept at the end is the blocks and perhaps the last of those.
        if sums[0] - int(blocks) not in (0, 1) or not 0 <= sums[1] - int(size) <= 36:
            raise Wrong("%s: %d blocks, %d bytes recorded, %s and %s kept" % (
                capture, *sums, blocks, size))
        summary = json.loads(self.run(*self.memlens(), "summary", capture, "--json"))
        if not summary["complete"]:
            raise Wrong("%s is not complete" % capture)
        if report["total_bytes"] != summary["leaked_bytes"]:
            raise Wrong("%s: views and summary differ" % capture)
        return summary

    def check_run(self):
        said = self.run(*self.memlens(), "run", "-q", "-o", "run.mlens", "app.py")
        self.check_capture("run.mlens", said)

    def check_module(self):
        said = self.run(*self.in_environment("python"), "-m", "memlens", "run", "-q", "-o",
                        "module.mlens", "app.py")
        self.check_capture("module.mlens", said)

    def check_tracker(self):
        said = self.run(*self.in_environment("python"), "tracked.py")
        self.check_capture("tracked.mlens", said)

    def check_console_script(self):
        said = self.run(*self.memlens(), "run", "-q", "-o", "console.mlens", self.named("keeper"))
        self.check_capture("console.mlens", said)

    def check_pytest_by_name(self):
        self.run(*self.memlens(), "run", "-q", "-o", "pytest.mlens", self.named("pytest"), "-q",
                 "-p", "no:cacheprovider", "-k", "keeps", "test_it.py")
        size = sum(10000 + place + bytes().__sizeof__() for place in range(1000))
        self.check_capture("pytest.mlens", "1000 %d %s" % (size, self.prefix))

    def check_plugin(self):
        said = self.run(*self.in_environment("pytest"), "-p", "no:cacheprovider", "test_it.py", code=1)
        for expected in ("limit_memory: the test peaked at 10.5 MB", "kept[place] = bytes(",
                         "1 failed, 1 passed"):
            if expected not in said:
                raise Wrong("pytest does not say %r\n%s" % (expected, said[-2500:]))

    checks = ("run", "module", "tracker", "console_script", "pytest_by_name", "plugin")


class Pip(Way):
    """python -m venv, pip install; the environment is not activated."""

    def install(self):
        self.prefix = os.path.join(self.folder, "env")
        try:
            self.run(self.python, "-m", "venv", self.prefix)
        except Wrong:  # a Python without ensurepip
            shutil.rmtree(self.prefix, ignore_errors=True)
            if not self.tools.uv:
                raise
            self.run(self.tools.uv, "venv", "-q", "--seed", "-p", self.python, self.prefix)
        self.run(*self.in_environment("python"), "-m", "pip", "install", "-q", self.tools.wheel,
                 self.tools.console, "pytest")

    def in_environment(self, name):
        return [os.path.join(self.prefix, "bin", name)]

    def named(self, name):
        return os.path.join(self.prefix, "bin", name)

    def memlens(self):
        return self.in_environment("memlens")


class UvAdd(Way):
    """uv init, uv add --dev; everything by uv run."""

    def install(self):
        self.run(self.tools.uv, "init", "-q", "--bare", "--name", "tried", "-p", self.python)
        self.run(self.tools.uv, "add", "-q", "--dev", "-p", self.python, self.tools.wheel,
                 self.tools.console, "pytest")
        self.prefix = os.path.join(self.folder, ".venv")

    def in_environment(self, name):
        return [self.tools.uv, "run", "-q", name]

    def named(self, name):
        return name

    def memlens(self):
        return self.in_environment("memlens")


class Uvx(Way):
    """uvx --from: memlens in an environment of its own, the script in that of whoever calls."""
    checks = ("run", "console_script", "pytest_by_name")

    def install(self):
        self.prefix = os.path.join(self.folder, "env")
        self.run(self.tools.uv, "venv", "-q", "-p", self.python, self.prefix)
        self.run(self.tools.uv, "pip", "install", "-q", "-p", self.prefix, self.tools.console,
                 "pytest")
        self.path = [os.path.join(self.prefix, "bin")] + self.path

    def named(self, name):
        return name

    def memlens(self):
        return [os.path.join(os.path.dirname(self.tools.uv), "uvx"), "-q", "-p", self.python,
                "--from", self.tools.wheel, "memlens"]


def finds_what_is_installed(python, folder):
    """False for builds whose site module looks elsewhere than where installers put things."""
    run([python, "-m", "venv", "--without-pip", folder], "/")
    asked = "import sys, sysconfig; print(sysconfig.get_paths()['purelib'] in sys.path)"
    return run([os.path.join(folder, "bin", "python"), "-c", asked], "/").strip() == "True"


def try_here(options, name, python, folder):
    """The number of ways that failed."""
    failed = 0
    if not finds_what_is_installed(python, os.path.join(folder, name)):
        print("%-18s left out: environments made by it do not find what is installed in them" % name)
        return 0
    for way in [Pip] + ([UvAdd, Uvx] if options.uv else []):
        place = os.path.join(folder, name + "-" + way.__name__)
        os.makedirs(place)
        tried = way(python, options, place)
        wrong, right = [], []
        try:
            tried.install()
            for check in way.checks:
                try:
                    getattr(tried, "check_" + check)()
                    right.append(check)
                except Exception as error:  # each is told of, the others go on
                    wrong.append("%s: %s: %s" % (check, type(error).__name__, error))
        except Exception as error:
            wrong.append("install: %s: %s" % (type(error).__name__, error))
        version = subprocess.run([python, "-c", "import sys; print(sys.version.split()[0])"],
                                 stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
        print("%-18s %-8s %-6s %s" % (name, version, way.__name__.lower(),
                                      "right: " + " ".join(right)), flush=True)
        for text in wrong:
            print("    WRONG %s" % text.replace("\n", "\n        "), flush=True)
        failed += bool(wrong)
    return failed


#: This system's own files are read-only there: package scripts of that system would write into them.
MOUNT = """
set -e
show() {
  mount --bind "$1" "$ROOT$2"
  mount -o remount,bind,ro "$ROOT$2"
}
mkdir -p "$ROOT/tmp/try-wheel"
mount -t tmpfs none "$ROOT/tmp/try-wheel"
mkdir "$ROOT/tmp/try-wheel/tests" "$ROOT/tmp/try-wheel/uv" "$ROOT/tmp/try-wheel/work"
show "$TESTS" /tmp/try-wheel/tests
[ -z "$UV" ] || show "$UV" /tmp/try-wheel/uv
cp "$WHEEL" "$ROOT/tmp/try-wheel/"
touch "$ROOT/etc/resolv.conf"
show /etc/resolv.conf /etc/resolv.conf
mkdir -p "$ROOT/etc/ssl/certs"
show /etc/ssl/certs /etc/ssl/certs
mountpoint -q "$ROOT/proc" || mount -t proc proc "$ROOT/proc"
mountpoint -q "$ROOT/dev/shm" || { mkdir -p "$ROOT/dev/shm"; mount -t tmpfs none "$ROOT/dev/shm"; }
[ -e "$ROOT/dev/null" ] || mknod -m 666 "$ROOT/dev/null" c 1 3
[ -e "$ROOT/dev/urandom" ] || mknod -m 666 "$ROOT/dev/urandom" c 1 9
exec chroot "$ROOT" "$@"
"""


def try_in_root(options, root):
    """The same within another system, by its own Python."""
    pythons = sorted(glob.glob(os.path.join(root, "usr", "bin", "python3.*[0-9]")))
    if not pythons:
        raise SystemExit("no Python in %s" % root)
    uv = os.path.dirname(os.path.abspath(options.uv)) if options.uv else ""
    environment = dict(os.environ, ROOT=root, TESTS=os.path.dirname(HERE), UV=uv,
                       WHEEL=options.wheel, TMPDIR="/tmp/try-wheel/work", HOME="/tmp/try-wheel/work")
    for name in ("MEMLENS_PYTHONS", "PYTHONPATH"):
        environment.pop(name, None)
    inside = ["/usr/bin/" + os.path.basename(pythons[-1]), "-B", "/tmp/try-wheel/tests/wheel/try_wheel.py",
              "/tmp/try-wheel/" + os.path.basename(options.wheel)]
    if uv:
        inside += ["--uv", "/tmp/try-wheel/uv/uv"]
    if options.only:
        inside += ["--only", options.only]
    return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT, "sh",
                           *inside], env=environment, check=False).returncode != 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel")
    parser.add_argument("--uv", default=shutil.which("uv"), help="the uv program, if not on PATH")
    parser.add_argument("--only", help="versions, as 3.8,3.13t")
    parser.add_argument("--root", action="append", default=[], help="a whole system's folder")
    options = parser.parse_args()
    options.wheel = os.path.abspath(options.wheel)
    if not options.uv:
        print("uv is not here: pip alone")
    failed = sum(try_in_root(options, root) for root in options.root)
    if not options.root:
        sys.path.insert(0, SUPPORT)
        from memlens_testing import pythons
        with tempfile.TemporaryDirectory(prefix="try-wheel-") as folder:
            options.console = make_console_wheel(folder)
            only = options.only.split(",") if options.only else None
            for name, python in pythons().items():
                if only is None or name in only:
                    failed += try_here(options, name.replace("/", "_"), python, folder)
    print("%d went wrong" % failed if failed else "all right")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
