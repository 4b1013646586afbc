"""Captures as tables of pandas, polars and pyarrow: with rows, without any, and with very many.

On demand: MEMLENS_FLEET_PYTHON names a Python with some of these.
"""
import json
import os
import subprocess

from memlens_testing import MEMLENS, SOURCE, MemlensTest, main

#: One stack a line of the file, by `eval`: as many as there are to be.
PROGRAM = """
kept = []
code = "\\n" * 20 + "".join("def f%d(): kept.append(bytearray(1000))\\n" % n for n in range({count}))
exec(compile(code, "many.py", "exec"))
for n in range({count}):
    globals()["f%d" % n]()
"""
FRAME = """
import json, sys
for name in sys.argv[3:]:
    sys.modules[name] = None          # as where it is not installed
import memlens
capture = memlens.read(sys.argv[1])
frame = capture.to_dataframe(sys.argv[2])
print(json.dumps([type(frame).__module__.split(".")[0], list(frame.columns), len(frame),
                  int(frame["bytes"].sum()), [str(frame[name].dtype) for name in frame.columns]]))
"""
TABLE = """
import json, resource, sys
import memlens
capture = memlens.read(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
table = capture.to_arrow()
import pyarrow.compute as compute
sums = {}
for view in ("peak", "leaks", "temporary", "allocations"):
    of_view = table.filter(compute.equal(table["view"], view))
    sums[view] = [of_view.num_rows, compute.sum(of_view["bytes"]).as_py() or 0]
from memlens._arrow import schema
print(json.dumps([table.num_rows, table.schema == schema(), sums]))
"""
COLUMNS = ["bytes", "blocks", "pid", "thread", "function", "file", "line", "stack"]


class Frames(MemlensTest):
    time_limit_seconds = 300

    def setUp(self):
        super().setUp()
        self.python = os.environ.get("MEMLENS_FLEET_PYTHON")
        if not self.python:
            self.skipTest("MEMLENS_FLEET_PYTHON names no Python with pandas, polars or pyarrow")

    def run_python(self, code, *arguments):
        environment = {**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python"),
                       "MEMLENS_PROGRAM": MEMLENS}
        return json.loads(subprocess.run([self.python, "-c", code, *arguments], check=True,
                                         env=environment, cwd=self.directory, text=True,
                                         stdout=subprocess.PIPE,
                                         timeout=self.time_limit_seconds).stdout)

    def need(self, module):
        if subprocess.run([self.python, "-c", "import " + module], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest("%s is not installed" % module)

    def many(self, count):
        return self.record(["python3", "-S", self.script(PROGRAM.format(count=count), "app.py")])

    def check_frame(self, library, *hidden):
        self.need(library)
        capture = self.many(50)
        for view in ("peak", "leaks", "temporary", "allocations"):
            report = self.stacks(view, capture)
            name, columns, rows, size, types = self.run_python(FRAME, capture, view, *hidden)
            self.assertEqual((name, columns, rows, size),
                             (library, COLUMNS, len(report["stacks"]), report["total_bytes"]))
        # The same types where there are no rows.
        nothing = self.record(["/bin/true"], "--no-follow")
        _, columns, rows, size, types_of_none = self.run_python(FRAME, nothing, "leaks", *hidden)
        self.assertEqual(columns, COLUMNS)
        self.assertEqual(types_of_none, types)

    def test_pandas(self):
        self.check_frame("pandas")

    def test_polars(self):
        self.check_frame("polars", "pandas")

    def check_table(self, capture):
        rows, same_schema, sums = self.run_python(TABLE, capture)
        self.assertTrue(same_schema)
        self.assertEqual(rows, sum(count for count, _ in sums.values()))
        for view, (count, size) in sums.items():
            report = self.stacks(view, capture)
            self.assertEqual((count, size), (len(report["stacks"]), report["total_bytes"]))
        return rows

    def test_an_arrow_table_of_nothing_and_one_of_many_parts(self):
        self.need("pyarrow")
        self.assertEqual(self.check_table(self.record(["/bin/true"])), 0)
        self.assertGreater(self.check_table(self.many(8000)), 15_000)


if __name__ == "__main__":
    main()
