"""The queries of docs/fleet.md, over captures of several hosts and builds.

On demand: MEMLENS_FLEET_PYTHON names a Python with pyarrow and duckdb, and perhaps pyspark.
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
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
spark.read.parquet("fleet").createOrReplaceTempView("fleet")
queries = [query.rstrip(";\\n").replace("epoch(time)", "unix_timestamp(time)")
           for query in json.load(sys.stdin)[1:]]
print(json.dumps([[list(row) for row in spark.sql(query).collect()] for query in queries],
                 default=str))
"""
DAY = 86400


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
        for number, (leaked, peak, build, host) in enumerate((
                (1_000_000, 9_000_000, "1.4.1", "pod-a"), (2_000_000, 9_000_000, "1.4.1", "pod-b"),
                (3_000_000, 12_000_000, "1.4.2", "pod-a"))):
            text = PROGRAM.format(leaked=leaked, peak=peak)
            capture = self.record(["python3", "-S", self.script(text, "shop.py")])
            os.utime(capture, (1_700_000_000 + number * DAY,) * 2)
            specs.append("%s,%s,%s" % (capture, build, host))
        self.run_python(EXPORT, *specs)

    def run_python(self, code, *arguments, **options):
        return subprocess.run([self.python, "-c", code, *arguments], cwd=self.directory, check=True,
                              env=self.environment, stdout=subprocess.PIPE, text=True,
                              timeout=self.time_limit_seconds, **options).stdout

    def check(self, results):
        left, growing, release, pods = results
        self.assertEqual((left[0][0], left[0][2], left[0][4]), ("keep", 4, 3))
        self.assertAlmostEqual(left[0][3], 6_000_000, delta=10_000)
        self.assertEqual(growing[0][0], "keep")
        self.assertAlmostEqual(growing[0][3], 1_000_000, delta=10_000)
        self.assertEqual(pods[0][0], "pod-a")
        self.assertAlmostEqual(pods[0][1], 15_000_000, delta=4_000_000)
        self.assertEqual([row[2] for row in pods], [2, 1])
        self.assertIn("keep", [row[0] for row in release])

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
