#!/usr/bin/env python3
"""Records a fleet's captures, exports them to Parquet and runs docs/fleet.md's queries with DuckDB. On demand:

    fleet.py [--captures 1000] [--memlens build/bin/memlens] [--keep FOLDER]

Needs a Python with pyarrow and duckdb, which it is run by. Every number that a query gives is compared with
what was put in, or with the sums of the captures' own summaries; the times are printed as rows of a table.
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOSTS, DAY_SECONDS, BEGIN_SECONDS = 20, 86400, 1_600_000_000
OLD, NEW = "1.4.1", "1.4.2"
#: The cache of the program grows by so much a day; the new release parses in so much more at once.
GROWTH, PARSED, PARSED_MORE = 20_000, 9_000_000, 3_000_000
PROGRAM = """
import sys
day, new = int(sys.argv[1]), sys.argv[2] == "1.4.2"
kept = []

def fill_cache():
    kept.append(bytearray(100_000 + {growth} * day))

def parse():
    bytearray({parsed} + {more} * new)

{handlers}
fill_cache()
parse()
for handle in handlers:
    handle()
""".format(growth=GROWTH, parsed=PARSED, more=PARSED_MORE, handlers="\n".join(
    "def handle_%d():\n    kept.append([bytes(%d) for _ in range(%d)])\n" % (n, 500 + n, 1 + n % 7)
    for n in range(100)) + "\nhandlers = [%s]\n" % ", ".join("handle_%d" % n for n in range(100)))


def wrong(condition, text):
    if condition:
        sys.exit("fleet: " + text)


class Fleet:
    def __init__(self, count, folder):
        self.folder = folder
        self.days = max(2, count // HOSTS)
        self.samples = [(number % HOSTS, number // HOSTS % self.days) for number in range(count)]
        self.peaks = collections.defaultdict(int)
        self.captures_of_host = collections.Counter()
        self.leaked = self.rows = self.capture_bytes = 0

    @staticmethod
    def host(number):
        return "pod-%02d" % number

    def build(self, day):
        return NEW if day >= self.days // 2 else OLD

    def record(self, program):
        script = os.path.join(self.folder, "shop.py")
        with open(script, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        for number, (host, day) in enumerate(self.samples):
            path = os.path.join(self.folder, "%05d.mlens" % number)
            subprocess.run([program, "run", "-q", "-o", path, "--", "/usr/bin/python3", "-S", script,
                            str(day), self.build(day)], check=True)
            os.utime(path, (BEGIN_SECONDS + day * DAY_SECONDS + host,) * 2)
            self.capture_bytes += os.path.getsize(path)

    def export(self, memlens):
        for number, (host, day) in enumerate(self.samples):
            capture = memlens.read(os.path.join(self.folder, "%05d.mlens" % number))
            capture.to_parquet(os.path.join(self.folder, "fleet"), build=self.build(day),
                               host=self.host(host), views=("peak", "leaks"))
            self.leaked += capture.summary["leaked_bytes"]
            name = self.host(host)
            self.peaks[name] = max(self.peaks[name], capture.summary["peak_bytes"])
            self.captures_of_host[name] += 1

    def check(self, left, growing, release, pods):
        count = len(self.samples)
        by_function = {row[0]: row for row in left}
        cached = sum(100_000 + GROWTH * day for _, day in self.samples)
        wrong(abs(by_function["fill_cache"][3] - cached) > 200 * count, "the cache is not what was kept")
        wrong(by_function["fill_cache"][4] != count, "not every capture is counted")
        wrong(growing[0][0] != "fill_cache", "what grows is %s" % (growing[0],))
        wrong(abs(growing[0][3] - GROWTH) > GROWTH / 100, "it grows by %s a day" % growing[0][3])
        more = {row[0]: row[2] for row in release}
        wrong(abs(more["parse"] - PARSED_MORE) > 500, "the release takes %s more" % more["parse"])
        wrong({row[0]: (row[1], row[2]) for row in pods} != {
            host: (self.peaks[host], n) for host, n in self.captures_of_host.items()},
            "the peaks by pod are not those of the captures")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--captures", type=int, default=1000)
    parser.add_argument("--memlens", default=os.path.join(SOURCE, "build", "bin", "memlens"))
    parser.add_argument("--keep", metavar="FOLDER", help="leave all files there")
    options = parser.parse_args()
    os.environ["MEMLENS_PROGRAM"] = options.memlens
    sys.path.insert(0, os.path.join(SOURCE, "python"))
    import duckdb
    import memlens
    with open(os.path.join(SOURCE, "docs", "fleet.md"), encoding="utf-8") as file:
        view, *queries = re.findall(r"```sql\n(.*?)```", file.read(), re.DOTALL)
    with tempfile.TemporaryDirectory(prefix="memlens-fleet-") as temporary:
        folder = os.path.abspath(options.keep or temporary)
        os.makedirs(folder, exist_ok=True)
        fleet = Fleet(options.captures, folder)
        rows = []

        def timed(name, work):
            began = time.perf_counter()
            result = work()
            rows.append((name, time.perf_counter() - began))
            return result

        timed("recording %d captures" % options.captures, lambda: fleet.record(options.memlens))
        timed("export", lambda: fleet.export(memlens))
        os.chdir(folder)
        connection = duckdb.connect()
        timed("create view", lambda: connection.execute(view))
        names = ("holds most of what is left", "grows", "before and after a release", "by pod")
        results = [timed(name, lambda query=query: connection.execute(query).fetchall())
                   for name, query in zip(names, queries)]
        fleet.check(*results)
        total, = connection.execute("select sum(bytes) from fleet where view = 'leaks'").fetchone()
        wrong(total != fleet.leaked, "%s bytes are left, the captures say %d" % (total, fleet.leaked))
        stored, = connection.execute("select count(*) from fleet").fetchone()
        parquet = [os.path.join(place, name) for place, _, files in os.walk("fleet") for name in files]
        print("%d captures of %d hosts, %.1f MB; %d Parquet files, %.1f MB, %d rows" % (
            len(fleet.samples), len(fleet.captures_of_host), fleet.capture_bytes / 1e6, len(parquet),
            sum(map(os.path.getsize, parquet)) / 1e6, stored))
        for name, seconds in rows:
            print("| %-28s | %8.2f s |" % (name, seconds))
        print("every number as it was put in, and as the captures say")


if __name__ == "__main__":
    main()
