"""Executables whose segments lie apart, or are many, have the same stacks as others."""
import glob
import os
import re
import shutil
import subprocess

from memlens_testing import BUILD, MemlensTest, functions, main

SEGMENTS = os.path.join(BUILD, "tests", "native_stacks", "segments")
LOADER = "/lib64/ld-linux-x86-64.so.2"


def loaded_segments(program):
    listed = subprocess.run(["readelf", "-lW", program], stdout=subprocess.PIPE, text=True,
                            check=True).stdout
    return [(int(at, 16), int(size, 16)) for at, size in
            re.findall(r"^ +LOAD +\S+ (\S+) \S+ \S+ (\S+)", listed, re.M)]


class SegmentLayouts(MemlensTest):
    def check_stacks(self, command):
        report = self.stacks("leaks", self.record(command), "--native")
        found = {tuple(functions(stack)): stack["blocks"] for stack in report["stacks"]
                 if stack["bytes"] % 1000 == 0 and stack["blocks"] == 64}
        names = [stack[:4] for stack in found]
        self.assertEqual(names, [("keep", "middle", "outer", "main")], (command, report["stacks"]))

    def test_stacks_are_the_same_in_every_layout(self):
        self.need("readelf")
        programs = sorted(glob.glob(os.path.join(SEGMENTS, "segments_*")))
        self.assertGreaterEqual(len(programs), 7)
        most = 0
        for program in programs:
            with self.subTest(layout=os.path.basename(program)):
                most = max(most, len(loaded_segments(program)))
                self.check_stacks([program])
        self.assertGreater(most, 8, "no layout has many segments: nothing is tested")

    def test_the_layouts_have_gaps(self):
        self.need("readelf")
        for name in ("gaps", "fixed_gaps"):
            segments = loaded_segments(os.path.join(SEGMENTS, "segments_" + name))
            gaps = [later - (at + size) for (at, size), (later, _) in zip(segments, segments[1:])]
            self.assertGreater(max(gaps), 0x10000, name)

    def test_a_program_with_gaps_that_the_loader_was_told_to_run(self):
        if not os.access(LOADER, os.X_OK):
            self.skipTest("another loader")
        for name in ("gaps", "fixed_gaps"):
            with self.subTest(layout=name):
                self.check_stacks([LOADER, os.path.join(SEGMENTS, "segments_" + name)])

    def test_installed_programs_with_gaps(self):
        """Their own code is found: hardly a stack that cannot be followed."""
        self.need("readelf")
        tried = 0
        makefile = os.path.join(self.directory, "makefile")
        with open(makefile, "w", encoding="utf-8") as file:
            file.write("all:\n\t@echo\n" + "".join(f"x{i}: x{i + 1}\n" for i in range(2000)))
        sums = os.path.join(self.directory, "sums.bc")
        with open(sums, "w", encoding="utf-8") as file:
            file.write("a = 2 ^ 300\n" * 200 + "quit\n")
        for command in (["make", "-f", makefile], ["bc", "-q", sums], ["node", "-e", "1"],
                        ["lsof", "-v"]):
            program = shutil.which(command[0])
            if program is None:
                print(f"{command[0]} is not installed", flush=True)
                continue
            with self.subTest(program=command[0]):
                capture = self.record([program, *command[1:]])
                report = self.stacks("allocations", capture, "--native")
                label = "[code without unwind information]"
                cut = sum(stack["blocks"] for stack in report["stacks"]
                          if functions(stack)[-1:] == [label])
                print(f"{program}: {report['total_blocks']} blocks, {cut} in stacks cut", flush=True)
                self.assertGreater(report["total_blocks"], 10)
                self.assertLessEqual(cut, report["total_blocks"] * 0.02)
                tried += 1
        if tried == 0:
            self.skipTest("none is installed")


if __name__ == "__main__":
    main()
