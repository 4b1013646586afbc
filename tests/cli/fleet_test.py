"""The queries of docs/fleet.md, over captures of several hosts and builds.

On demand: MEMLENS_FLEET_PYTHON names a Python with pyarrow and duckdb, and perhaps pyspark;
MEMLENS_FLEET_CAPTURES how many captures there shall be (3).
"""
import json
import os
import re
import subprocess

from memlens_testing import MEMLENS, SOURCE, MemlensTest, main

PROGRAM = """
kept = []
def keep():
    kept.append(bytearray({leaked}))
def work():
    bytearray({peak})
keep()
work()
"""
EXPORT = """
import sys, memlens
for spec in sys.argv[1:]:
    path, build, host = spec.split(",")
    memlens.read(path).to_parquet("fleet", build=build, host=host)
"""
IN_DUCKDB = """
import duckdb, json, sys
connection = duckdb.connect()
first, *queries = json.load(sys.stdin)
connection.execute(first)
print(json.dumps([connection.execute(query).fetchall() for query in queries], default=str))
"""
IN_SPARK = """
import json, sys
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
         .getOrCreate())
spark.read.parquet("fleet").createOrReplaceTempView("fleet")
queries = [query.rstrip(";\\n").replace("epoch(time)", "unix_timestamp(time)")
           for query in json.load(sys.stdin)[1:]]
print(json.dumps([[list(row) for row in spark.sql(query).collect()] for query in queries],
                 default=str))
"""
DAY = 86400
CAPTURES = int(os.environ.get("MEMLENS_FLEET_CAPTURES", "3"))
#: What each leaks more than the one of the day before.
STEP = 1_000_000 if CAPTURES < 10 else 10_000
#: The last of them is of the new release, which takes more at its peak.
PEAKS = {"1.4.1": 9_000_000, "1.4.2": 12_000_000}


class Sample:
    def __init__(self, number):
        self.leaked = (number + 1) * STEP
        self.build = "1.4.2" if number == CAPTURES - 1 else "1.4.1"
        self.host = "pod-b" if number % 2 else "pod-a"
        self.seconds = 1_500_000_000 + number * DAY


class Fleet(MemlensTest):
    time_limit_seconds = 300

    def setUp(self):
        super().setUp()
        self.python = os.environ.get("MEMLENS_FLEET_PYTHON")
        if not self.python:
            self.skipTest("MEMLENS_FLEET_PYTHON names no Python with pyarrow and duckdb")
        with open(os.path.join(SOURCE, "docs", "fleet.md"), encoding="utf-8") as file:
            self.queries = re.findall(r"```sql\n(.*?)```", file.read(), re.DOTALL)
        self.assertEqual(len(self.queries), 5)
        self.environment = {**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python"),
                            "MEMLENS_PROGRAM": MEMLENS}
        specs = []
        for sample in map(Sample, range(CAPTURES)):
            text = PROGRAM.format(leaked=sample.leaked, peak=PEAKS[sample.build])
            capture = self.record(["python3", "-S", self.script(text, "shop.py")])
            os.utime(capture, (sample.seconds,) * 2)
            specs.append("%s,%s,%s" % (capture, sample.build, sample.host))
        self.run_python(EXPORT, *specs)

    def run_python(self, code, *arguments, **options):
        return subprocess.run([self.python, "-c", code, *arguments], cwd=self.directory, check=True,
                              env=self.environment, stdout=subprocess.PIPE, text=True,
                              timeout=self.time_limit_seconds, **options).stdout

    def check(self, results):
        left, growing, release, pods = results
        samples = [Sample(number) for number in range(CAPTURES)]
        self.assertEqual((left[0][0], left[0][2], left[0][4]), ("keep", 4, CAPTURES))
        leaked = sum(sample.leaked for sample in samples)
        self.assertAlmostEqual(left[0][3], leaked, delta=500 * CAPTURES)
        self.assertEqual((growing[0][0], growing[0][4]), ("keep", CAPTURES))
        self.assertAlmostEqual(growing[0][3], STEP, delta=STEP / 100)
        self.assertEqual({row[0]: row[2] for row in pods},
                         {"pod-a": (CAPTURES + 1) // 2, "pod-b": CAPTURES // 2})
        for host, peak, _ in pods:
            expected = max(sample.leaked + PEAKS[sample.build] for sample in samples
                           if sample.host == host)
            self.assertAlmostEqual(peak, expected, delta=4_000_000)
        kept = max(sample.leaked for sample in samples) - sum(
            sample.leaked for sample in samples[:-1]) / (CAPTURES - 1)
        more = {row[0]: row[2] for row in release}
        self.assertAlmostEqual(more["keep"], kept, delta=500)
        self.assertAlmostEqual(more["work"], PEAKS["1.4.2"] - PEAKS["1.4.1"], delta=500)

    def test_they_give_what_was_put_in_with_duckdb(self):
        self.check(json.loads(self.run_python(IN_DUCKDB, input=json.dumps(self.queries))))

    def test_and_with_spark(self):
        if subprocess.run([self.python, "-c", "import pyspark"], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            self.skipTest("pyspark is not installed")
        said = self.run_python(IN_SPARK, input=json.dumps(self.queries))
        self.check(json.loads(said.strip().splitlines()[-1]))


if __name__ == "__main__":
    main()
