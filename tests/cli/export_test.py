"""Exports open elsewhere, and add up to the view they are of.

Each format is read by a reader of the test's own; `go tool pprof` where Go is there. speedscope's
JSON schema and its page are tried on demand (docs/export.md).
"""
import csv
import gzip
import io
import json
import os
import re
import subprocess

from memlens_testing import VIEWS, MemlensTest, main
from protobuf_reader import message, packed

PROGRAM = """
import threading
kept = []

def keep():
    kept.append(bytearray(3_000_000))

def hold():
    held = [bytearray(1_000_000) for _ in range(8)]
    return len(held)

def churn():
    for _ in range(2_000):
        bytearray(5000)

namespace = {"kept": kept}
exec(compile("def make():\\n    kept.append(bytearray(70_000))", '=cmd;"x,\\ny', "exec"), namespace)
keep()
hold()
namespace["make"]()
thread = threading.Thread(target=churn, name="churner")
thread.start()
thread.join()
"""

INLINED = """
    #include <stdlib.h>
    static inline __attribute__((always_inline)) void *inner(size_t n) { return calloc(n, 1); }
    static inline __attribute__((always_inline)) void *middle(size_t n) { return inner(n + 1); }
    __attribute__((noinline)) void *outer(size_t n) {
      void *block = middle(n * 10);
      __asm__ volatile("" : "+r"(block) : : "memory");  /* calloc is called, not jumped to */
      return block;
    }
    int main(void) { return outer(1000) == 0; }
    """

TOTALS = {"peak": ("peak_bytes", "peak_blocks"), "leaks": ("leaked_bytes", "leaked_blocks"),
          "temporary": ("temporary_bytes", "temporary_blocks"),
          "allocations": ("allocated_bytes", "allocations")}


class Pprof:
    """profile.proto, decoded."""
    def __init__(self, data):
        profile = message(gzip.decompress(data))
        self.strings = [s.decode("utf-8") for s in profile[6]]
        self.types = [(self.strings[message(t)[1][0]], self.strings[message(t)[2][0]])
                      for t in profile[1]]
        self.default_type = self.strings[profile[14][0]]
        functions = {m[1][0]: m for m in map(message, profile.get(5, []))}
        mappings = {m[1][0] for m in map(message, profile.get(3, []))}
        self.locations = {}
        for location in map(message, profile.get(4, [])):
            assert location[2][0] in mappings
            lines = []
            for line in map(message, location[4]):
                function = functions[line[1][0]]
                lines.append((self.strings[function[2][0]], line.get(2, [0])[0]))
            self.locations[location[1][0]] = lines
        self.samples = []
        for sample in map(message, profile.get(2, [])):
            stack = [self.locations[i] for i in packed(sample[1][0])]
            self.samples.append((stack, packed(sample[2][0])))

    def sums(self):
        return dict(zip([name for name, _ in self.types],
                        map(sum, zip(*[values for _, values in self.samples]))))


class Exports(MemlensTest):
    def capture(self):
        if not hasattr(self, "recorded"):
            self.recorded = self.record(["python3", "-S", self.script(PROGRAM)])
        return self.recorded

    def export(self, format_name, *options, capture=None):
        path = os.path.join(self.directory, "export." + format_name)
        self.memlens("export", capture or self.capture(), "--format", format_name, "-o", path,
                     *options)
        with open(path, "rb") as file:
            return file.read()

    def totals(self, view):
        summary = self.summary(self.capture())
        return tuple(summary[name] for name in TOTALS[view])

    # -- pprof ------------------------------------------------------------------------------------
    def test_pprof_has_the_four_types_of_a_heap_profile(self):
        profile = Pprof(self.export("pprof"))
        self.assertEqual(profile.types, [("alloc_objects", "count"), ("alloc_space", "bytes"),
                                         ("inuse_objects", "count"), ("inuse_space", "bytes")])
        self.assertEqual(profile.default_type, "inuse_space")
        sums = profile.sums()
        self.assertEqual((sums["alloc_space"], sums["alloc_objects"]), self.totals("allocations"))
        self.assertEqual((sums["inuse_space"], sums["inuse_objects"]), self.totals("leaks"))

    def test_pprof_of_each_view_sums_up_to_it(self):
        for view in VIEWS:
            with self.subTest(view):
                sums = Pprof(self.export("pprof", "--view", view)).sums()
                name = "inuse" if view in ("peak", "leaks") else "alloc"
                self.assertEqual((sums[name + "_space"], sums[name + "_objects"]),
                                 self.totals(view))

    def test_pprof_stacks_are_leaf_first_with_lines(self):
        profile = Pprof(self.export("pprof", "--view", "leaks"))
        stack, values = max(profile.samples, key=lambda sample: sample[1][3])
        self.assertEqual(stack[0], [("keep", 6)])
        self.assertEqual(stack[-1][0][0], "<module>")
        self.assertGreaterEqual(values[3], 3_000_000)

    def test_pprof_inlined_frames_are_lines_of_one_location(self):
        compiler = self.need("cc")
        source = self.script(INLINED, "inlined.c")
        program = os.path.join(self.directory, "inlined")
        subprocess.run([compiler, "-g", "-O2", "-o", program, source], check=True)
        profile = Pprof(self.export("pprof", "--view", "leaks", capture=self.record([program])))
        stack = next(s for s, _ in profile.samples if any(len(lines) == 3 for lines in s))
        inlined = next(lines for lines in stack if len(lines) == 3)
        self.assertEqual([name for name, _ in inlined], ["inner", "middle", "outer"])

    def test_go_tool_pprof_opens_it(self):
        go = self.need("go")
        path = os.path.join(self.directory, "app.pb.gz")
        self.memlens("export", self.capture(), "--format", "pprof", "-o", path)
        environment = dict(os.environ, HOME=self.directory, PPROF_TMPDIR=self.directory)
        for sample_type, view in (("inuse_space", "leaks"), ("alloc_objects", "allocations")):
            result = subprocess.run([go, "tool", "pprof", "-raw", "-sample_index=" + sample_type, path],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    env=environment)
            if "no such tool" in result.stderr:
                self.skipTest("this Go has no pprof")
            self.assertEqual(result.returncode, 0, result.stderr)
            top = subprocess.run([go, "tool", "pprof", "-top", "-unit=B", "-nodefraction=0",
                                  "-sample_index=" + sample_type, path], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, env=environment).stdout
            total = self.totals(view)[1 if sample_type.endswith("objects") else 0]
            self.assertIn(f"of {total}", top)

    # -- the others -------------------------------------------------------------------------------
    def test_speedscope_weights_sum_up_to_the_end_value(self):
        for view in VIEWS:
            with self.subTest(view):
                document = json.loads(self.export("speedscope", "--view", view))
                self.assertEqual(document["$schema"],
                                 "https://www.speedscope.app/file-format-schema.json")
                [profile] = document["profiles"]
                self.assertEqual((profile["type"], profile["unit"]), ("sampled", "bytes"))
                self.assertEqual(len(profile["samples"]), len(profile["weights"]))
                self.assertEqual(sum(profile["weights"]), self.totals(view)[0])
                self.assertEqual(profile["endValue"] - profile["startValue"], self.totals(view)[0])
                frames = document["shared"]["frames"]
                for sample in profile["samples"]:
                    for index in sample:
                        self.assertIn("name", frames[index])
        document = json.loads(self.export("speedscope", "--view", "leaks"))
        heaviest = document["profiles"][0]["samples"][0]
        names = [document["shared"]["frames"][index]["name"] for index in heaviest]
        self.assertEqual(names, ["<module>", "keep"])

    def test_folded_lines_are_stacks_whatever_a_name_holds(self):
        for view in VIEWS:
            with self.subTest(view):
                lines = self.export("folded", "--view", view).decode("utf-8").splitlines()
                counts = [int(line.rsplit(" ", 1)[1]) for line in lines]
                self.assertEqual(sum(counts), self.totals(view)[0])
        text = self.export("folded", "--view", "leaks").decode("utf-8")
        self.assertRegex(text, r"(?m)^<module> \(\S*script\.py:\d+\);keep \(\S*script\.py:6\) 3\d{6}$")
        # The file called '=cmd;"x,\ny'.
        self.assertRegex(text, r'(?m);make \(=cmd%3B"x,%0Ay:2\) \d+$')

    def test_dhat_has_the_peak_and_the_end(self):
        document = json.loads(self.export("dhat"))
        self.assertEqual(document["dhatFileVersion"], 2)
        sums = {name: sum(pp[name] for pp in document["pps"])
                for name in ("tb", "tbk", "gb", "gbk", "eb", "ebk")}
        self.assertEqual((sums["tb"], sums["tbk"]), self.totals("allocations"))
        self.assertEqual((sums["gb"], sums["gbk"]), self.totals("peak"))
        self.assertEqual((sums["eb"], sums["ebk"]), self.totals("leaks"))
        self.assertLessEqual(document["tg"], document["te"])
        stacks = [tuple(pp["fs"]) for pp in document["pps"]]
        self.assertEqual(len(set(stacks)), len(stacks))  # dh_view refuses a location twice
        kept = max(document["pps"], key=lambda pp: pp["eb"])
        self.assertRegex(document["ftbl"][kept["fs"][0]], r"^0x0: keep \(\S+script\.py:6\)$")
        self.assertEqual(document["ftbl"][0], "[root]")
        for pp in document["pps"]:
            self.assertLessEqual(max(pp["gb"], pp["eb"]), pp["mb"])

    def test_dh_view_opens_the_dhat_file(self):
        node = self.need("node")
        viewer = "/usr/libexec/valgrind/dh_view.js"
        if not os.path.exists(viewer):
            self.skipTest("valgrind's dh_view is not installed")
        path = os.path.join(self.directory, "app.dhat.json")
        self.memlens("export", self.capture(), "--format", "dhat", "-o", path)
        # What the viewer does with a file, but for drawing it.
        program = f"""
            const fs = require('fs'), vm = require('vm');
            const element = () => new Proxy(function () {{}}, {{
              get: (t, name) => name === Symbol.toPrimitive ? () => '' : element(),
              set: () => true, apply: () => element()}});
            const context = {{document: element(), window: element(), console, performance,
                              Intl, setTimeout, document_: 1}};
            vm.createContext(context);
            vm.runInContext(fs.readFileSync({json.dumps(viewer)}, 'utf8'), context);
            context.text = fs.readFileSync({json.dumps(path)}, 'utf8');
            // The list of orders to choose from is made with the page.
            vm.runInContext('gSelect = {{selectedIndex: 0, childNodes: gSelectData.map(() => ({{}}))}}',
                            context);
            vm.runInContext('gData = JSON.parse(text); buildTree();', context);
            console.log(vm.runInContext('gRoot._totalBytes + " " + gRoot._atTGmaxBytes', context));
            """
        result = subprocess.run([node, "-e", program], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.split(),
                         [str(self.totals("allocations")[0]), str(self.totals("peak")[0])])

    def test_csv_rows_add_up_and_no_cell_is_a_formula(self):
        for view in VIEWS:
            with self.subTest(view):
                text = self.export("csv", "--view", view).decode("utf-8")
                rows = list(csv.DictReader(io.StringIO(text, newline="")))
                self.assertEqual(sum(int(row["bytes"]) for row in rows), self.totals(view)[0])
                self.assertEqual(sum(int(row["blocks"]) for row in rows), self.totals(view)[1])
                self.assertEqual({row["view"] for row in rows}, {view})
                for row in rows:
                    for cell in row.values():
                        self.assertNotRegex(cell, r"^[=+\-@\t\r]")
        made = next(row for row in csv.DictReader(io.StringIO(
            self.export("csv", "--view", "leaks").decode("utf-8"), newline=""))
            if row["function"] == "make")
        self.assertTrue(made["file"].startswith("'=cmd;\"x,"), made["file"])
        self.assertEqual(made["stack"], "<module>;make")

    def test_perfetto_dumps_add_up(self):
        for options, columns in (((), ((2, "allocations", 0), (5, "allocations", 1))),
                                 (("--view", "peak"), ((8, "peak", 0), (9, "peak", 1)))):
            packets = [message(message(p)[37][0]) for p in message(self.export("perfetto", *options))[1]]
            self.assertEqual([p[7][0] for p in packets], list(range(len(packets))))
            self.assertEqual([p[6][0] for p in packets], [1] * (len(packets) - 1) + [0])
            strings, frames, callstacks, samples = {}, {}, {}, []
            for packet in packets:
                for string in map(message, packet.get(1, [])):
                    strings[string[1][0]] = string[2][0].decode("utf-8")
                for frame in map(message, packet.get(2, [])):
                    frames[frame[1][0]] = strings[frame[2][0]]
                for stack in map(message, packet.get(3, [])):
                    callstacks[stack[1][0]] = [frames[f] for f in stack[2]]
                for dump in map(message, packet.get(5, [])):
                    samples += map(message, dump.get(2, []))
            for field, view, index in columns:
                self.assertEqual(sum(s.get(field, [0])[0] for s in samples),
                                 self.totals(view)[index])
            if not options:
                left = sum(s[2][0] - s.get(3, [0])[0] for s in samples)
                self.assertEqual(left, self.totals("leaks")[0])
                kept = max(samples, key=lambda s: s[2][0] - s.get(3, [0])[0])
                stack = callstacks[kept[1][0]]
                self.assertTrue(stack[0].startswith("<module>:"), stack)  # outermost first
                self.assertEqual(stack[-1], "keep:6")

    def test_every_format_of_native_stacks_and_samples_adds_up(self):
        compiler = self.need("cc")
        program = os.path.join(self.directory, "many")
        source = self.script("#include <stdlib.h>\nint main(void) { for (int i = 0; i < 5000; ++i) "
                             "if (malloc(1000) == 0) return 1; return 0; }\n", "many.c")
        subprocess.run([compiler, "-g", "-O1", "-fno-builtin", "-o", program, source], check=True)
        self.recorded = self.record([program], "--sample", "64K")
        leaked = self.totals("leaks")[0]
        self.assertGreater(leaked, 1_000_000)
        self.assertEqual(Pprof(self.export("pprof")).sums()["inuse_space"], leaked)
        document = json.loads(self.export("speedscope", "--view", "leaks"))
        self.assertEqual(sum(document["profiles"][0]["weights"]), leaked)
        self.assertEqual(sum(pp["eb"] for pp in json.loads(self.export("dhat"))["pps"]), leaked)

    def test_where_it_is_written(self):
        capture = self.capture()
        default = capture.replace(".mlens", ".pb.gz")
        self.assertEqual(self.memlens("export", capture, "--format", "pprof").stdout, default + "\n")
        result = self.memlens("export", capture, "--format", "pprof", code=1)
        self.assertIn("exists already", result.stderr)
        self.memlens("export", capture, "--format", "pprof", "-f")
        folded = self.memlens("export", capture, "--format", "folded", "-o", "-").stdout
        self.assertIn("keep", folded)
        result = self.memlens("export", capture, "--format", "csv", "-o", capture, code=1)
        self.assertIn("is the capture itself", result.stderr)
        result = self.memlens("export", capture, "--format", "csv", "-o", "/dev/full", code=1)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.summary(capture)

    def test_what_cannot_be_written_says_why(self):
        # By the Python package, where pyarrow is installed for the Python that comes first.
        result = self.memlens("export", self.capture(), "--format", "parquet", "-o", "all.parquet",
                              code=None)
        if result.returncode != 0:
            self.assertRegex(result.stderr, r"^memlens: .*need pyarrow\n$")
        result = self.memlens("export", self.capture(), "--format", "dhat", "--view", "temporary",
                              code=1)
        self.assertIn("temporary", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertIn("--format", self.memlens("export", self.capture(), code=2).stderr)
        self.assertIn("svg", self.memlens("export", self.capture(), "--format", "svg",
                                          code=2).stderr)


if __name__ == "__main__":
    main()
