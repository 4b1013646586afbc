"""The unwinder against libunwind in real programs, frame by frame (oracle.cpp).

Here a moderate run; the full one is ORACLE_FULL=1 with this file by hand. Its figures, of
one 2-core machine (Debian 12, libunwind 1.6.2):

    difficult_frames    400,515 stacks    5,341,948 frames   0 mismatches
    redis-server        487,959           6,140,292          0
    sqlite3             252,870           2,798,492          0
    cc1plus (g++ -O2)   132,067           3,047,360          0
    git log -p          107,028           2,125,427          0
    python3 + numpy      43,165           1,671,610          0
    all               1,423,604          21,125,129          0

and by hand, cmake configuring this project with all it starts, gdb, clang-format: 317,491 stacks, up
to 12,182 frames deep, 0 mismatches.

With runs of frames (ORACLE_RUNS, native_runs.h) and without, 2,478,606 stacks in all: 0 mismatches.

Addresses whose step no rule can express ("complex"): 0 of them all.
"""
import os
import re
import shutil
import subprocess
import sys
import time

from memlens_testing import BUILD, MemlensTest, main

ORACLE = os.path.join(BUILD, "lib", "libmemlens_unwind_oracle.so")
TOOLS = os.path.join(BUILD, "tests", "native_stacks")
FULL = os.environ.get("ORACLE_FULL") == "1"
SYSTEM_PYTHON = "/usr/bin/python3"

SOURCE = """
#include <map>
#include <string>
#include <vector>
#include <algorithm>
int main() { std::map<std::string, std::vector<int>> m; m["a"].push_back(1);
  auto& v = m["a"]; std::sort(v.begin(), v.end()); return (int)m.size(); }
"""
PYTHON = """
import json, re, sys, threading
try:
    import numpy as np
except ImportError:
    np = None
def work(n):
    for i in range(n):
        if np is not None:
            a = np.arange(50).reshape(5, 10)
            np.linalg.inv(np.eye(4) + (a @ a.T).sum())
        json.loads(json.dumps({"a": [1, 2.5, "x" * i]}))
        re.compile("a+(b|c)*%d" % i)
n = int(sys.argv[1])
threads = [threading.Thread(target=work, args=(n,)) for _ in range(3)]
for t in threads: t.start()
work(n)
for t in threads: t.join()
"""


class Oracle(MemlensTest):
    time_limit_seconds = 600

    def compare(self, command, least, every=1, **run_options):
        """Runs a command under the oracle; every stack compared must be equal."""
        if shutil.which(command[0]) is None:
            self.skipTest(f"{command[0]} is not installed")
        output = os.path.join(self.directory, "oracle.txt")
        environment = dict(os.environ, LD_PRELOAD=ORACLE, ORACLE_OUTPUT=output,
                           ORACLE_EVERY=str(every))
        for ways in ({}, {"ORACLE_RUNS": "1"}):
            subprocess.run(command, env=environment | ways, check=True, stdout=subprocess.DEVNULL,
                           cwd=self.directory, timeout=self.time_limit_seconds, **run_options)
            self.check(output, least)
            os.remove(output)

    def check(self, output, least):
        with open(output, encoding="utf-8") as file:
            text = file.read()
        lines = [dict(re.findall(r"(\w+)=(\d+)", line)) | {"program": line.split()[0]}
                 for line in text.splitlines() if " stacks=" in line]
        total = sum(int(line["stacks"]) for line in lines)
        for line in lines:
            print("   ", *(f"{key}={value}" for key, value in line.items()), flush=True)
        self.assertEqual(sum(int(line["mismatches"]) for line in lines), 0, text[:4000])
        self.assertGreaterEqual(total, least)
        complex_rules = sum(int(line["complex"]) for line in lines)
        rules = sum(int(line["rules"]) for line in lines)
        self.assertLessEqual(complex_rules, rules * 0.005)

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def test_difficult_frames_threads_exceptions_and_signals(self):
        rounds = "3000" if FULL else "150"
        self.compare([os.path.join(TOOLS, "difficult_frames"), rounds], least=10_000)

    def test_a_compiler(self):
        self.write("source.cpp", SOURCE)
        self.compare(["g++", "-O2", "-c", "source.cpp"], least=3_000, every=3 if FULL else 50)

    def test_python_with_numpy_in_threads(self):
        self.write("work.py", PYTHON)
        self.compare([SYSTEM_PYTHON, "work.py", "600" if FULL else "40"], least=1_000)

    def test_sqlite_importing_a_file(self):
        rows = 50_000 if FULL else 2_000
        self.write("in.csv", "".join(f'{i},"name {i}",{i * 3.5}\n' for i in range(rows)))
        self.compare(["sqlite3", ":memory:", ".mode csv", ".import in.csv t",
                      "select count(*) from t", 'create index i on t("0")'], least=500)

    def test_git(self):
        source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        if not os.path.exists(os.path.join(source, ".git")):
            self.skipTest("not a git checkout")
        self.compare(["git", "-C", source, "log", "-p", "--stat", "-n", "300" if FULL else "5"],
                     least=300)

    def test_redis_under_load(self):
        if shutil.which("redis-server") is None or shutil.which("redis-benchmark") is None:
            self.skipTest("redis is not installed")
        output = os.path.join(self.directory, "oracle.txt")
        socket = os.path.join(self.directory, "redis.sock")
        environment = dict(os.environ, LD_PRELOAD=ORACLE, ORACLE_OUTPUT=output,
                           ORACLE_RUNS="1")
        server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket,
                                   "--save", "", "--dir", self.directory],
                                  env=environment, stdout=subprocess.DEVNULL)
        try:
            for _ in range(200):
                if os.path.exists(socket):
                    break
                time.sleep(0.05)
            subprocess.run(["redis-benchmark", "-s", socket, "-q", "-n",
                            "20000" if FULL else "500", "-t", "set,lpush,hset,zadd"],
                           check=True, stdout=subprocess.DEVNULL)
        finally:
            server.terminate()
            server.wait()
        # Debian's redis brings its own allocator for its data.
        self.check(output, least=50)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    main()
