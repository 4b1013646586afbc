"""Thousands of stacks of each interpreter, frame by frame against what the programs say themselves."""
import json
import os
import subprocess

from memlens_testing import MemlensTest, main
from python_versions import blocks, interpreters, reaches_malloc, without_padding

FOLDER = os.path.dirname(os.path.abspath(__file__))
BASE = 700_000  # the programs'
MAX_BLOCKS = 10_000
# Programs, and how many different stacks they make at least.
ALL_KINDS = (os.path.join(FOLDER, "stacks_program.py"), 1000)
DEEP = (os.path.join(FOLDER, "deep_stacks_program.py"), 400)

# Runs a program with what debuggers, profilers and coverage tools put into the interpreter, for each
# instruction where there is that.
WATCH = """
import runpy, sys
how = sys.argv[1]
del sys.argv[:2]

def trace(frame, event, argument):
    frame.f_trace_opcodes = True
    return trace

if how == "trace":
    import threading
    threading.settrace(trace)
    sys.settrace(trace)
elif how == "profile":
    sys.setprofile(lambda frame, event, argument: None)
else:
    monitoring = sys.monitoring
    events = monitoring.events
    monitoring.use_tool_id(3, "tests")
    wanted = events.PY_START | events.LINE | events.INSTRUCTION | events.CALL | events.PY_RETURN
    for event in (events.PY_START, events.LINE, events.INSTRUCTION, events.CALL, events.PY_RETURN):
        monitoring.register_callback(3, event, lambda *arguments: None)
    monitoring.set_events(3, wanted)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def looking_on(path, watch, directory):
    """What comes after an interpreter so that tools look on: (tool, arguments). `watch`: WATCH, as a file."""
    tools = [("tracing", [watch, "trace"]), ("profiling", [watch, "profile"])]
    if subprocess.run([path, "-c", "import sys; sys.monitoring"], stderr=subprocess.DEVNULL,
                      check=False).returncode == 0:
        tools += [("sys.monitoring", [watch, "monitoring"]), ("-X perf", ["-X", "perf"])]
    if subprocess.run([path, "-c", "import coverage"], stderr=subprocess.DEVNULL,
                      check=False).returncode == 0:
        tools.append(("coverage", ["-m", "coverage", "run", "--data-file",
                                   os.path.join(directory, "coverage")]))
    return tools


def shown(frames):
    """As a report shows the frames of an expected stack."""
    return [[file, line or 0, function] for file, line, function in frames]


class Stacks(MemlensTest):
    time_limit_seconds = 300

    def check(self, path, seed, *options, program=ALL_KINDS, environment=None, kinds="",
              before=()):
        """How many stacks were right; one that was not is a failure."""
        script, least = program
        least = 200 if kinds else least
        expected_file = os.path.join(self.directory, f"expected-{seed}.jsonl")
        capture = self.record([path, *before, script, expected_file, str(seed)], *options,
                              env=dict(os.environ, **(environment or {})))
        self.assertNotIn("disagrees", self.recording.stderr)
        self.assertNotIn("Traceback", self.recording.stderr)
        recorded = {}
        for block in blocks(capture, BASE, BASE + 16 * MAX_BLOCKS):
            number, extra = divmod(block["bytes"] - BASE, 16)
            if extra <= 1:  # the terminator of a bytearray
                recorded.setdefault(number, []).append(block["frames"])
        wrong = []
        with open(expected_file, encoding="utf-8") as lines:
            expected = {number: frames for number, frames in map(json.loads, lines)
                        if not frames or frames[0][2].startswith(kinds)}
        for number, frames in expected.items():
            stacks = recorded.get(number, [])
            want = shown(frames)
            if not frames:
                # A thread that Python does not know: a label and nothing of Python's.
                right = len(stacks) == 1 and [f[0] for f in stacks[0]] == ["[label]"]
            else:
                right = stacks == [want]
            if not right:
                wrong.append((number, want[:4], [stack[:4] for stack in stacks]))
        self.assertGreater(len({json.dumps(frames) for frames in expected.values()}), least)
        self.assertEqual(wrong[:5], [], f"{len(wrong)} of {len(expected)} stacks are wrong")
        print(f"{path}: {len(expected)} stacks, "
              f"{sum(map(len, expected.values()))} frames, 0 wrong", flush=True)
        return len(expected)

    def test_every_stack_is_what_the_interpreter_says(self):
        for name, path in interpreters():
            for seed in (1, 2):
                with self.subTest(python=name, seed=seed):
                    self.check(path, seed)

    def test_every_stack_is_right_in_deep_recursion_without_pauses(self):
        for name, path in interpreters():
            for options in ((), ("--native",)):
                with self.subTest(python=name, options=options):
                    self.check(path, 5, *options, program=DEEP)

    def test_every_stack_is_right_with_debugging_allocators(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                self.check(path, 3, environment={"PYTHONDEVMODE": "1", "PYTHONASYNCIODEBUG": "0"})

    def test_every_stack_is_right_at_the_malloc_level(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                self.check(path, 4, "--no-python-allocators", environment=without_padding(name),
                           kinds="" if reaches_malloc(name) else "malloc_")

    def test_every_stack_is_right_while_tools_look_on(self):
        watch = self.script(WATCH)
        for name, path in interpreters():
            if not name.startswith(("3.11", "3.12")):  # the others by count_stacks.py --tools
                continue
            for tool, before in looking_on(path, watch, self.directory):
                with self.subTest(python=name, tool=tool):
                    self.check(path, 6, before=before)


if __name__ == "__main__":
    main()
