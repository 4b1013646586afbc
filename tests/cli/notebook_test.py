"""%%memlens in IPython, in a process that was started dormant and in one that was not."""
import json
import os
import re
import shutil
import subprocess
import unittest

from memlens_testing import MEMLENS, SOURCE, MemlensTest, main

PYTHON = "/usr/bin/python3"

# Runs cells as a kernel does, and writes down what each printed and displayed.
KERNEL = '''
import asyncio, json, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
shell = InteractiveShell.instance()
seen = []
def run_cells():
    for cell in json.load(open(sys.argv[1])):
        with capture_output() as output:
            result = shell.run_cell(cell)
        seen.append({"stdout": output.stdout, "stderr": output.stderr,
                     "html": [each.data.get("text/html", "") for each in output.outputs]})
async def run_in_loop():
    run_cells()
if "loop" in sys.argv:
    asyncio.run(run_in_loop())
else:
    run_cells()
json.dump(seen, open(sys.argv[2], "w"))
'''

# The same by a real kernel, in another process.
CLIENT = '''
import json, sys
import nbclient, nbformat
notebook = nbformat.v4.new_notebook()
notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in json.load(open(sys.argv[1]))]
nbclient.NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
seen = []
for cell in notebook.cells:
    stream = lambda name: "".join(o.text for o in cell.outputs
                                  if o.output_type == "stream" and o.name == name)
    seen.append({"stdout": stream("stdout"), "stderr": stream("stderr"),
                 "error": [o.evalue for o in cell.outputs if o.output_type == "error"],
                 "html": [o.data["text/html"] for o in cell.outputs
                          if o.output_type == "display_data" and "text/html" in o.data]})
json.dump(seen, open(sys.argv[2], "w"))
'''

WORK = "kept = [bytearray(10_000) for _ in range(300)]\n"


class Notebook(MemlensTest):
    def setUp(self):
        super().setUp()
        known = subprocess.run([PYTHON, "-c", "import IPython"], stderr=subprocess.DEVNULL, check=False)
        if known.returncode != 0:
            raise unittest.SkipTest("no IPython (python3-ipython)")

    def cells(self, *cells, dormant=True, program=MEMLENS, in_loop=False, python=PYTHON, text=KERNEL):
        kernel, source, seen = (os.path.join(self.directory, name)
                                for name in ("kernel.py", "cells.json", "seen.json"))
        with open(kernel, "w") as file:
            file.write(text)
        with open(source, "w") as file:
            json.dump(["%load_ext memlens", *cells], file)
        start = [MEMLENS, "run", "--dormant", "--"] if dormant else []
        arguments = ["loop"] if in_loop else []
        subprocess.run([*start, python, kernel, source, seen, *arguments], cwd=self.directory, check=True,
                       env={**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python"),
                            "MEMLENS_PROGRAM": program, "IPYTHONDIR": self.directory})
        with open(seen) as file:
            return json.load(file)[1:]

    def test_a_cell_s_memory_is_shown_as_a_page_and_a_line(self):
        cell, after = self.cells("%%memlens -o cell.mlens\ntext = \"\"\"\n  as it stands\"\"\"\n" + WORK,
                                 "print(len(kept), repr(text))")
        self.assertRegex(cell["stdout"], r"memlens: 3\.\d\d MB at the peak, 3\.\d\d MB still allocated")
        self.assertEqual(len(cell["html"]), 1)
        self.assertIn('<iframe srcdoc="&lt;!doctype html', cell["html"][0].lower())
        self.assertEqual(cell["stderr"], "")
        self.assertEqual(after["stdout"], "300 '\\n  as it stands'\n")
        left = self.summary(os.path.join(self.directory, "cell.mlens"))["leaked_bytes"]
        self.assertTrue(3_000_300 <= left < 3_200_000, left)

    def test_errors_are_the_cell_s_and_the_next_cell_runs(self):
        failing, usage, line = self.cells("%%memlens\n" + WORK + "1 / 0", "%%memlens --nonsense\n1",
                                          "%memlens kept = [bytearray(10_000) for _ in range(300)]")
        self.assertIn("ZeroDivisionError", failing["stdout"])
        self.assertIn("MB still allocated", failing["stdout"])
        self.assertIn("unrecognized arguments: --nonsense", usage["stdout"] + usage["stderr"])
        self.assertIn("MB still allocated", line["stdout"])

    def test_a_cell_that_is_run_again_overwrites_its_file_where_that_is_asked_for(self):
        first, again, forced, profiled = self.cells(
            "%%memlens -o cell.mlens\n" + WORK, "%%memlens -o cell.mlens\nran = 1",
            "%%memlens -f -q -o cell.mlens --no-follow\nheld = bytes(5_000_000)",
            "%%memlens --sample 64Ki\nimport memlens\n@memlens.profile\ndef load():\n"
            "    return bytes(9_000_000)\nmore = load()", dormant=False)
        self.assertIn("MB at the peak", first["stdout"])
        self.assertRegex(again["stdout"] + again["stderr"], "cell.mlens exists; give another name, or -f to "
                                                            "overwrite it")
        self.assertEqual((again["html"], forced["stdout"], len(forced["html"])), ([], "", 1))
        self.assertGreaterEqual(
            self.summary(os.path.join(self.directory, "cell.mlens"))["leaked_bytes"], 5_000_000)
        self.assertIn("MB at the peak", profiled["stdout"])
        self.assertRegex(profiled["stderr"], r"(?m)^ +4 +9\.00 MB +9\.00 MB")

    def test_a_kernel_that_was_started_without_memlens_is_recorded_as_well(self):
        cell, again = self.cells("%%memlens -o cell.mlens\n" + WORK, "%%memlens\n" + WORK,
                                 dormant=False)
        for each in (cell, again):
            self.assertRegex(each["stdout"], r"memlens: 3\.\d\d MB at the peak, 3\.\d\d MB still")
            self.assertEqual(each["stderr"], "")
        left = self.summary(os.path.join(self.directory, "cell.mlens"))["leaked_bytes"]
        self.assertTrue(3_000_300 <= left < 3_200_000, left)

    def test_a_cell_that_awaits_within_the_kernel_s_loop_says_what_to_write_and_does_not_run(self):
        awaits, after = self.cells("%%memlens\nimport asyncio\nawait asyncio.sleep(0)\nran = 1",
                                   "%%memlens\nprint('ran' in globals())", in_loop=True)
        self.assertIn("awaits at its top level", awaits["stderr"])
        self.assertIn("with memlens.Tracker(", awaits["stderr"])
        self.assertIn("False", after["stdout"])

    def test_a_real_kernel_and_nbclient(self):
        """Debian's, or on demand those of the Python that MEMLENS_NOTEBOOK_PYTHON names."""
        python = os.environ.get("MEMLENS_NOTEBOOK_PYTHON", PYTHON)
        if subprocess.run([python, "-c", "import ipykernel, nbclient"], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            self.skipTest("%s has no ipykernel and nbclient (python3-ipykernel python3-nbclient)" % python)
        made, cell, line, error, after, awaits, tracked = self.cells(
            "def make(size):\n    return bytearray(size)",
            "%%memlens -o cell.mlens --native\n" + WORK + "made = make(700_000)", "%memlens sum(range(10**5))",
            "%%memlens\nheld = bytes(5_000_000)\n1 / 0", "print(len(kept), len(held))",
            "%%memlens\nimport asyncio\nawait asyncio.sleep(0)",
            "import memlens, asyncio\nwith memlens.Tracker('await.mlens'):\n"
            "    await asyncio.sleep(0)\n    kept = bytes(4_000_000)",
            python=python, text=CLIENT, dormant=False)
        self.assertEqual(made["error"], [])
        self.assertRegex(cell["stdout"], r"memlens: 3\.\d\d MB at the peak")
        # With the text of lines, also of a function of another cell; and nothing stays on disk.
        frames = [frame for stack in self.stacks("leaks", os.path.join(self.directory, "cell.mlens"),
                                                 "--no-native")["stacks"]
                  for frame in stack["frames"] if re.search(r"/ipykernel_\d+/", frame["file"])]
        texts = {frame.get("source") for frame in frames}
        self.assertLessEqual({WORK.strip(), "return bytearray(size)", "made = make(700_000)"}, texts)
        self.assertFalse([frame["file"] for frame in frames if os.path.exists(frame["file"])])
        self.assertIn('<iframe srcdoc="&lt;!doctype html', cell["html"][0].lower())
        self.assertRegex(line["stdout"], r"memlens: .* allocations")
        self.assertEqual(error["error"], ["division by zero"])
        self.assertRegex(error["stdout"], r"memlens: \d.* MB at the peak")
        self.assertEqual(after["stdout"], "300 5000000\n")
        self.assertIn("awaits at its top level", awaits["stderr"])
        self.assertEqual(tracked["error"], [])
        left = self.summary(os.path.join(self.directory, "await.mlens"))["leaked_bytes"]
        self.assertGreaterEqual(left, 4_000_000)

    def test_a_kernel_that_finds_no_library_says_so_and_the_cell_does_not_run(self):
        alone = os.path.join(self.directory, "memlens")
        shutil.copy(MEMLENS, alone)
        cell, after = self.cells("%%memlens\nran = True", "print('ran' in globals())", dormant=False,
                                 program=alone)
        self.assertIn("memlens: no libmemlens.so beside", cell["stdout"] + cell["stderr"])
        self.assertEqual(cell["html"], [])
        self.assertEqual(after["stdout"], "False\n")


if __name__ == "__main__":
    main()
