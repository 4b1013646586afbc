"""`memlens ranges`: what lies between a mark and the mark of its end, by itself."""
import json
import os
import subprocess

from memlens_testing import BUILD, SOURCE, MemlensTest, main

PROGRAM = """
import sys
sys.path.insert(0, {package!r})
import memlens

kept = [bytearray(9_000_000)]

def take(size, keep=False):
    block = bytearray(size)
    if keep:
        kept.append(block)

def ranged(name, *sizes, keep=False):
    memlens.mark(name)
    for size in sizes:
        take(size, keep)
    memlens.mark(name + " (end)")

memlens.mark("a moment")
ranged("one", 3_000_000, 2_000_000)
take(7_000_000)
ranged("two", 1_000_000, 500_000, keep=True)
ranged("one", 4_000_000)
memlens.mark("outer")
take(600_000, keep=True)
ranged("inner", 800_000)
kept.pop()
memlens.mark("outer (end)")
{end}
"""


class Ranges(MemlensTest):
    def ranges(self, *arguments):
        return json.loads(self.memlens("ranges", *arguments, "--json").stdout)["ranges"]

    def program_text(self, end=""):
        return PROGRAM.format(package=os.path.join(SOURCE, "python"), end=end)

    def test_a_range_holds_what_was_allocated_in_it_and_nothing_from_before(self):
        capture = self.record(["python3", "-S", self.script(self.program_text())])
        found = self.ranges(capture)
        self.assertEqual(sorted(r["name"] for r in found), ["inner", "one", "one", "outer", "two"])
        self.assertEqual([r["peak_bytes"] for r in found],
                         sorted((r["peak_bytes"] for r in found), reverse=True))
        # Python itself allocates a little in between.
        for name, peak, left in (("one", 3_000_000, 0), ("one", 4_000_000, 0),
                                 ("two", 1_500_000, 1_500_000), ("outer", 1_400_000, 0),
                                 ("inner", 800_000, 0)):
            with self.subTest(name, peak=peak):
                self.assertTrue([r for r in found if r["name"] == name
                                 and peak <= r["peak_bytes"] < peak + 20_000
                                 and left <= r["leaked_bytes"] < left + 20_000], found)

    def test_one_pass_and_a_range_read_by_itself_agree(self):
        capture = self.record(["python3", "-S", self.script(self.program_text())])
        keys = ("peak_bytes", "peak_blocks", "leaked_bytes", "leaked_blocks", "allocations",
                "allocated_bytes", "from_seconds", "to_seconds")
        for each in self.ranges(capture):
            same = [r for r in self.ranges(capture, each["name"], "--stacks", 0)
                    if r["from_seconds"] == each["from_seconds"]][0]
            self.assertEqual({k: each[k] for k in keys}, {k: same[k] for k in keys})
            self.assertEqual(sum(s["bytes"] for s in same["peak"]), each["peak_bytes"])
            self.assertEqual(sum(s["bytes"] for s in same["leaks"]), each["leaked_bytes"])
        some = self.ranges(capture, "--stacks", 1, "--stacks-of", 2)
        self.assertEqual([len(r.get("peak", "none")) for r in some], [1, 1, 4, 4, 4])
        last = self.ranges(capture, "one", "--last")
        self.assertEqual(len(last), 1)
        self.assertEqual(last[0]["peak"][0]["frames"][0]["function"], "take")
        shown = self.memlens("ranges", capture).stdout
        self.assertIn("5 ranges, what peaked highest first", shown)
        self.assertIn("no range 'absent' in it",
                      self.memlens("ranges", capture, "absent", code=1).stderr)

    def test_a_running_process_is_asked_by_its_pid_and_has_all_there_is_so_far(self):
        text = self.program_text(end="import os\nprint(os.getpid(), flush=True)\n"
                                     "sys.stdin.readline()")
        capture = os.path.join(self.directory, "running.mlens")
        program = subprocess.Popen(
            [self.memlens_path(), "run", "-q", "-o", capture, "python3", "-S", self.script(text)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.kill)
        pid = program.stdout.readline().strip()
        running = self.ranges(pid, "two", "--last")
        program.communicate("\n", timeout=60)
        self.assertEqual(program.returncode, 0)
        after = self.ranges(capture, "two", "--last")
        self.assertEqual(running[0]["peak_bytes"], after[0]["peak_bytes"])
        self.assertGreaterEqual(running[0]["peak_bytes"], 1_500_000)
        self.assertIn("is not being recorded", self.memlens("ranges", pid, code=1).stderr)

    def memlens_path(self):
        return os.path.join(BUILD, "bin", "memlens")

    def test_a_program_in_c_marks_its_ranges_by_the_header(self):
        program = os.path.join(BUILD, "examples", "marked_requests")
        self.assertTrue(os.path.exists(program), f"{program} was not built")
        alone = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertEqual(alone, "not recorded, 5000 bytes logged\n")
        capture = self.record([program])
        self.assertEqual(self.recording.stdout, "recorded, 5000 bytes logged\n")
        found = {r["name"]: r for r in self.ranges(capture)}
        self.assertEqual(sorted(found), [f"request {n}" for n in range(1, 6)])
        for number in range(1, 6):
            each = found[f"request {number}"]
            # realloc gives the log of before back, which is not the range's.
            self.assertEqual(each["leaked_bytes"], 1000 * number)
            self.assertEqual(each["peak_bytes"], 100_000 * number + 1000 * number)
        self.assertIn("ready", [mark["name"] for mark in self.summary(capture)["marks"]])


if __name__ == "__main__":
    main()
