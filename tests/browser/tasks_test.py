"""A page by task: stacks begin at their asyncio task where that is asked for, and sums stay."""
import capture_testing
from capture_testing import CapturePageTest, SYSTEM_PYTHON

PROGRAM = """
import asyncio

kept = []

async def fetch(size):
    kept.append(bytes(size))
    await asyncio.sleep(0)
    kept.append(bytes(size))

async def main():
    await asyncio.gather(*(asyncio.create_task(fetch(100_000)) for _ in range(3)),
                         asyncio.create_task(fetch(500_000), name="big one"))

asyncio.run(main())
"""


class Tasks(CapturePageTest):
    def outermost(self):
        """{function: bytes} of the bars next to the root."""
        return dict(self.run_script("""
            const { capture, callTree } = memlens;
            return Array.from(callTree.children(0), (node) => [
              capture.functionName(callTree.frames[node]), callTree.totals[node]]);"""))

    def test_a_bar_a_task_in_place_of_the_event_loop(self):
        capture = self.record([SYSTEM_PYTHON, self.script(PROGRAM)])
        self.open(self.page(capture), "view=leaks")
        whole = self.run_script("return memlens.callTree.totals[0]")
        self.assertNotIn("[task fetch]", self.outermost())
        names = self.run_script("""
            const { capture, callTree } = memlens;
            return Array.from(callTree.frames, (frame) => capture.functionName(frame));""")
        self.assertIn("fetch", names)
        self.assertNotIn("[task fetch]", names)
        self.run_script("document.getElementById('by-task').click()")
        bars = self.outermost()
        self.assertEqual(self.run_script("return memlens.callTree.totals[0]"), whole)
        self.assertGreaterEqual(bars["[task fetch]"], 600_000)
        self.assertLess(bars["[task fetch]"], 700_000)
        self.assertGreaterEqual(bars["[task big one: fetch]"], 1_000_000)
        self.assertIn("byTask=1", self.run_script("return location.hash"))
        summary = {task["task"]: task["leaked_bytes"] for task in self.summary(capture)["tasks"]}
        for name in ("[task fetch]", "[task big one: fetch]"):
            self.assertEqual(bars[name], summary[name])

    def test_the_command_chooses_what_is_shown_first_and_other_pages_have_no_such_box(self):
        self.open(self.page(self.record([SYSTEM_PYTHON, self.script(PROGRAM)]), "--tasks"),
                  "view=leaks")
        self.assertIn("[task fetch]", self.outermost())
        self.open(self.page(self.record([SYSTEM_PYTHON, self.script("kept = bytes(100_000)")])),
                  "view=leaks")
        self.assertTrue(self.run_script(
            "return document.getElementById('by-task').parentElement.hidden"))


if __name__ == "__main__":
    capture_testing.main()
