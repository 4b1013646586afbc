"""Each line of docs/coming-from.md does what it says where it stands."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time

from memlens_testing import MEMLENS, SOURCE, MemlensTest, main

PYTHON = "/usr/bin/python3"
#: What is no command and no expression: names within a sentence.
WORDS = {"MB", "MiB"}
APP = "kept = [bytes(10_000) for _ in range(100)]\nprint(len(kept))\n"
#: Runs the expressions of one column of tracemalloc's table, as a program would that has them.
EXPRESSIONS = """
import json, sys, tracemalloc
if sys.argv[1] == "tracemalloc":
    tracemalloc.start(25)
    take = tracemalloc.take_snapshot
    take().dump("app.snapshot")
else:
    import memlens
    take = memlens.snapshot
names = dict(globals(), old=take())
kept = [bytes(10_000) for _ in range(100)]
tops = {}
for line in json.load(sys.stdin):
    try:
        value = eval(line, names)
    except SyntaxError:
        exec(line, names)
        continue
    if isinstance(value, list) and value:
        tops[line] = str(value[0])
    print("ran", line, file=sys.stderr)
print(json.dumps(tops))
"""


def tables():
    """{heading: rows of code spans, (theirs, ours)}"""
    with open(os.path.join(SOURCE, "docs", "coming-from.md"), encoding="utf-8") as file:
        sections = re.split(r"(?m)^## ", file.read())[1:]
    found = {}
    for section in sections:
        heading, _, text = section.partition("\n")
        rows = [line.strip("|").split(" | ") for line in text.splitlines()
                if line.startswith("|") and not line.startswith("|--")][1:]
        found[heading] = [[re.findall(r"`([^`]+)`", cell) for cell in row] for row in rows]
        assert all(len(row) == 2 for row in found[heading]), heading
    return found


class ComingFrom(MemlensTest):
    def setUp(self):
        super().setUp()
        self.script(APP, "app.py")
        self.script("print('a module')\n", "module.py")
        self.script("def test_it(): pass\n", "test_it.py")
        self.script("leak:nothing_is_called_this\n", "leaks.supp")
        shutil.copy("/bin/true", os.path.join(self.directory, "program"))
        for name in ("old.mlens", "app.mlens"):
            self.memlens("run", "-q", "-o", name, "--python", PYTHON, "app.py")
        self.environment = {**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python"),
                            "MEMLENS_PROGRAM": MEMLENS}

    def test_every_command_runs(self):
        commands = [span for rows in tables().values() for _, ours in rows for span in ours
                    if span.startswith(("memlens ", "pytest "))]
        self.assertGreater(len(commands), 30)
        for command in dict.fromkeys(commands):
            with self.subTest(command):
                self.run_command(command)

    def run_command(self, command):
        program, *words = shlex.split(command)
        if "PID" in words:
            return self.run_on_process(words)
        if program == "pytest":
            if subprocess.run([PYTHON, "-c", "import pytest"], stderr=subprocess.DEVNULL,
                              check=False).returncode:
                return None
            line = [PYTHON, "-m", "pytest", "-p", "memlens.pytest_plugin", *words, "test_it.py"]
        else:
            line = [MEMLENS, *words]
        result = subprocess.run(line, cwd=self.directory, env=self.environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=self.time_limit_seconds, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        if "-o" in words:
            self.assertTrue(os.path.getsize(os.path.join(self.directory,
                                                         words[words.index("-o") + 1])))
        return None

    def run_on_process(self, words):
        """attach wakes a dormant process; live is told of one that is recorded."""
        dormant = ["--dormant"] if words[0] == "attach" else ["-f", "-o", "asleep.mlens"]
        with subprocess.Popen([MEMLENS, "run", "-q", *dormant, "--", "sleep", "60"],
                              cwd=self.directory) as started:
            pid = self.sleeper(started.pid)
            try:
                words = [str(pid) if word == "PID" else word for word in words]
                if words[0] == "attach":
                    words += ["--duration", "0.2"]
                self.memlens(*words)
            finally:
                os.kill(pid, signal.SIGTERM)

    def sleeper(self, pid):
        """The process itself, or a child of it, that has become sleep."""
        for _ in range(1000):
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                for each in [pid, *map(int, file.read().split())]:
                    with open(f"/proc/{each}/comm", encoding="ascii") as name:
                        if name.read().strip() == "sleep":
                            return each
            time.sleep(0.02)
        self.fail("sleep did not start")

    def test_tracemalloc_s_expressions_and_ours_name_the_same_line_first(self):
        rows = tables()["tracemalloc"][1:]
        tops = []
        for place, name in enumerate(("tracemalloc", "memlens")):
            lines = [span for row in rows for span in row[place]]
            line = [PYTHON, self.script(EXPRESSIONS, "expressions.py"), name]
            if name == "memlens":
                line = [MEMLENS, "run", "-q", "-o", "expressions.mlens", "--", *line]
            result = subprocess.run(line, cwd=self.directory, env=self.environment, check=False,
                                    input=json.dumps(lines), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
            self.assertEqual(result.returncode, 0, result.stderr)
            tops.append(json.loads(result.stdout.splitlines()[-1]))
        line = "snapshot.compare_to(old, \"lineno\")"
        for top in tops:
            self.assertIn("expressions.py:%d: " % (EXPRESSIONS.splitlines().index(
                "kept = [bytes(10_000) for _ in range(100)]") + 1), top[line])
        # Printed alike, to the unit: "file:line: size=982 KiB (+982 KiB), count=101 (+101), ...".
        shapes = [re.sub(r"[\d.]+(?= KiB)", "N", re.sub(r"count=.*?(?=, aver)", "count=N", top[line]))
                  for top in tops]
        self.assertEqual(*shapes)

    def test_what_stands_there_is_known(self):
        for heading, rows in tables().items():
            for _, ours in rows:
                for span in ours:
                    expression = re.match(r"@?memlens\.(\w+)", span)
                    if expression:
                        known = subprocess.run(
                            [PYTHON, "-c", "import memlens, sys; getattr(memlens, sys.argv[1])",
                             expression.group(1)], env=self.environment, check=False)
                        self.assertEqual(known.returncode, 0, span)
                    elif heading != "tracemalloc":
                        self.assertTrue(span.startswith(("memlens ", "pytest ")) or span in WORDS, span)


if __name__ == "__main__":
    main()
