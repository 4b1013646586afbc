"""Each block's task, as asyncio itself says it: its name, its coroutine, and the frames within."""
import json
import os
import re

from memlens_testing import MemlensTest, main
from python_versions import blocks, interpreters, reaches_malloc, without_padding

FOLDER = os.path.dirname(os.path.abspath(__file__))
BASE = 900_000  # the program's
MAX_BLOCKS = 4000


def label(task):
    name, function = task
    return f"[task {name}: {function}]" if name else f"[task {function}]"


class Tasks(MemlensTest):
    time_limit_seconds = 300

    def record_tasks(self, name, path, *options, environment=None):
        expected_file = os.path.join(self.directory, "expected.jsonl")
        # To 3.13, a step that a task takes where it is made is not told from its maker's.
        minor = int(re.match(r"3\.([0-9]+)", name)[1])
        eager = ["eager"] if minor >= 14 else []
        capture = self.record([path, os.path.join(FOLDER, "tasks_program.py"), expected_file, *eager],
                              *options, env=dict(os.environ, **(environment or {})))
        self.assertNotIn("Traceback", self.recording.stderr)
        with open(expected_file, encoding="utf-8") as lines:
            return capture, {number: (task, frames) for number, task, frames in map(json.loads, lines)}

    def check(self, name, path, *options, environment=None):
        capture, expected = self.record_tasks(name, path, *options, environment=environment)
        recorded = {}
        for block in blocks(capture, BASE, BASE + 16 * MAX_BLOCKS, "tasks"):
            number, rest = divmod(block["bytes"] - BASE, 16)
            if rest <= 1:
                recorded.setdefault(number, []).append(block["frames"])
        wrong = []
        for number, (task, functions) in expected.items():
            stacks = [[frame[2] for frame in stack] for stack in recorded.get(number, [])]
            kinds = {frame[0] for stack in recorded.get(number, []) for frame in stack}
            want = functions + ([label(task)] if task else [])
            if stacks != [want] or (task is None and "[task]" in kinds):
                wrong.append((number, want, stacks))
        self.assertGreater(len(expected), 300)
        self.assertGreater(len({label(task) for task, _ in expected.values() if task}), 20)
        self.assertEqual(wrong[:3], [], f"{len(wrong)} of {len(expected)} are wrong")
        print(f"{path} {options}: {len(expected)} blocks of tasks, 0 wrong", flush=True)
        return capture

    def test_every_block_belongs_to_the_task_that_asyncio_says(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                self.check(name, path)

    def test_so_it_does_with_native_stacks(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                self.check(name, path, "--native")

    def test_so_it_does_at_the_malloc_level(self):
        for name, path in interpreters():
            if reaches_malloc(name):
                with self.subTest(python=name):
                    self.check(name, path, "--no-python-allocators",
                               environment=without_padding(name))

    def test_tasks_add_up_to_the_totals_and_are_left_out_of_stacks_unless_asked_for(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                capture, _ = self.record_tasks(name, path)
                summary = self.summary(capture)
                tasks = summary["tasks"]
                self.assertIn("[task worker 1: worker]", [task["task"] for task in tasks])
                self.assertEqual(tasks[-1]["task"], "[outside of tasks]")
                for of_task, of_all in (("peak_bytes", "peak_bytes"),
                                        ("peak_blocks", "peak_blocks"),
                                        ("leaked_bytes", "leaked_bytes"),
                                        ("leaked_blocks", "leaked_blocks"),
                                        ("allocated_bytes", "allocated_bytes"),
                                        ("allocations", "allocations")):
                    self.assertEqual(sum(task[of_task] for task in tasks), summary[of_all])
                for view, whole in (("peak", "peak_bytes"), ("leaks", "leaked_bytes"),
                                    ("allocations", "allocated_bytes")):
                    plain = self.stacks(view, capture)
                    by_task = self.stacks(view, capture, "--tasks")
                    for report in (plain, by_task):
                        self.assertEqual(sum(stack["bytes"] for stack in report["stacks"]),
                                         summary[whole])
                    kinds = [{frame["kind"] for stack in report["stacks"]
                              for frame in stack["frames"]} for report in (plain, by_task)]
                    self.assertNotIn("task", kinds[0])
                    self.assertIn("task", kinds[1])
                    self.assertFalse([stack for stack in by_task["stacks"]
                                      if "task" in [frame["kind"] for frame in stack["frames"][:-1]]])


if __name__ == "__main__":
    main()
