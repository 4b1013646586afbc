"""`memlens live` on a terminal of 80 and of 60 columns, and where there is none."""
import os
import re
import signal
import subprocess
import time

from memlens_testing import MEMLENS, MemlensTest, main
from screen import Screen

GROWING = """
import sys, time
kept = []
def keep_more():
    kept.append(bytearray(100_000))
def pass_by():
    return [bytearray(300) for _ in range(50)]
print("ready", flush=True)
while True:
    keep_more()
    pass_by()
    time.sleep(0.02)
"""

WAITING = """
import sys
def kept_blocks(): return [bytearray(10_000) for _ in range(100)]
kept = kept_blocks()
print("ready", flush=True)
sys.stdin.readline()
"""


class Live(MemlensTest):
    def start(self, script, *options):
        self.capture = os.path.join(self.directory, "live.mlens")
        program = subprocess.Popen(
            [MEMLENS, "run", "-q", "-o", self.capture, *options, self.script(script)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self.directory)
        self.addCleanup(program.wait)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.stdin.close)
        self.addCleanup(program.kill)
        self.assertEqual(program.stdout.readline(), "ready\n")
        with open(f"/proc/{program.pid}/task/{program.pid}/children", encoding="ascii") as file:
            self.child = int(file.read().split()[0])
        self.addCleanup(self.end_child)
        return program

    def end_child(self):
        try:
            os.kill(self.child, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def stop(self, program):
        os.kill(self.child, signal.SIGTERM)
        program.wait(timeout=60)

    def screen(self, *arguments, **size):
        screen = Screen([MEMLENS, "live", "--interval", "0.2", *map(str, arguments)],
                        cwd=self.directory, **size)
        self.addCleanup(screen.close)
        return screen

    def test_it_goes_on_with_a_recording_that_goes_on_in_another_file(self):
        self.start(GROWING)
        screen = self.screen(self.child)
        screen.wait_for(r"(?s)keep_more +script\.py:5.*q quit.*m mark.*filter")
        self.memlens("rotate", self.child)
        deadline = time.monotonic() + 60
        while not os.path.exists(self.capture + ".1"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        for _ in range(3):  # once may be the end of the file before
            text = screen.wait_for(r"(?s)Allocated .*q quit.*filter")
            grown = re.search(r"Allocated ([0-9.]+ .?B)", text).group(1)
            text = screen.wait_for(rf"(?s)Allocated (?!{re.escape(grown)})[0-9.]+ .*q quit")
        self.assertRegex(text.splitlines()[0], "recording$")

    def test_a_leak_is_seen_to_grow_and_the_keys_do_what_they_say(self):
        program = self.start(GROWING)
        screen = self.screen(self.child)
        # The last line is drawn last.
        text = screen.wait_for(r"(?s)keep_more +script\.py:5.*q quit.*m mark.*filter")
        self.assertRegex(text.splitlines()[0], r"memlens live · python3 .* s · recording$")
        self.assertRegex(text, r"Allocated .*Peak .*RSS ")
        first = screen.wait_for(r"\+[0-9.]+ .?B .*keep_more")
        grown = float(re.search(r"Allocated ([0-9.]+) MB", first).group(1))
        screen.wait_for(rf"Allocated (?!{grown})[0-9.]+ MB")
        screen.send("4")
        screen.wait_for("by bytes allocated a second")
        screen.wait_for("pass_by")
        screen.send("/keep\r")
        text = screen.wait_for(r"\[keep\]")
        self.assertNotIn("pass_by", text)
        screen.send("/\x15no such line\r")
        screen.wait_for("no place has 'no such line' in it")
        screen.send("\x1b")
        screen.wait_for("pass_by")
        screen.send("?")
        screen.wait_for("set a mark")
        screen.send("?m")
        screen.wait_for("name of the mark: live 1_")
        screen.send("\x15warm\r")
        screen.wait_for("mark 'warm' set")
        screen.send("p")
        screen.wait_for("paused")
        screen.send("q")
        self.assertEqual(screen.end(), 0)
        self.assertTrue(screen.settings_are_as_before())
        self.assertEqual(screen.modes & {"1049", "25"}, {"25"})
        self.assertEqual(screen.overflows, [])
        self.assertIsNone(program.poll())
        self.stop(program)
        self.assertEqual([m["name"] for m in self.summary(self.capture)["marks"]], ["warm"])

    def test_sixty_columns_and_a_change_of_size_are_enough(self):
        program = self.start(GROWING)
        screen = self.screen(self.capture, columns=60, rows=16)
        screen.wait_for("keep_more")
        screen.wait_for("q quit")
        screen.resize(100, 30)
        screen.wait_for(r"keep_more +script\.py:5")
        screen.resize(60, 12)
        screen.wait_for("keep_more")
        screen.send("2")
        screen.wait_for("by growth")
        screen.overflows.clear()  # what was on its way when the size changed
        screen.send("5")
        screen.wait_for("by temporary")
        screen.send("q")
        self.assertEqual(screen.end(), 0)
        self.assertEqual(screen.overflows, [])
        self.stop(program)

    def test_the_end_of_the_recording_is_told_with_its_last_numbers(self):
        program = self.start(WAITING)
        screen = self.screen(program.pid)
        screen.wait_for("kept_blocks")
        program.communicate("\n", timeout=60)
        text = screen.wait_for("the recording has ended")
        self.assertIn("finished", text)
        screen.send("q")
        self.assertEqual(screen.end(), 0)

    def test_ctrl_c_ends_the_view_and_leaves_the_terminal_as_it_was(self):
        self.start(WAITING)
        screen = self.screen(self.child)
        screen.wait_for("kept_blocks")
        screen.send("\x03")
        self.assertEqual(screen.end(), 0)
        self.assertTrue(screen.settings_are_as_before())
        self.assertNotIn("1049", screen.modes)

    def test_without_a_terminal_one_picture_is_printed(self):
        self.start(WAITING)
        text = self.memlens("live", self.child)
        self.assertRegex(text.stdout, r"kept_blocks\S* +script\.py:3")
        self.assertNotIn("\x1b", text.stdout)
        self.assertEqual(text.stderr, "")
        held = re.search(r"Allocated ([0-9.]+) MB", text.stdout).group(1)
        self.assertAlmostEqual(float(held), self.summary(self.capture)["leaked_bytes"] / 1e6,
                               delta=0.2)

    def test_what_cannot_be_watched_is_told_in_one_line(self):
        nobody = subprocess.Popen(["sleep", "60"])
        self.addCleanup(nobody.wait)
        self.addCleanup(nobody.kill)
        result = self.memlens("live", nobody.pid, code=125)
        self.assertRegex(result.stderr, r"^memlens: process \d+ is not being recorded .*\n$")
        result = self.memlens("live", 999999999, code=125)
        self.assertRegex(result.stderr, r"^memlens: there is no process 999999999\n$")
        result = self.memlens("live", "nothing.mlens", code=1)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("nothing.mlens", result.stderr)
        self.memlens("live", code=2)


if __name__ == "__main__":
    main()
