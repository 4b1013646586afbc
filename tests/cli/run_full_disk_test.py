"""A capture that cannot grow: the program runs on, what was written stays readable."""
import os
import re
import resource
import subprocess
import tempfile

from memlens_testing import MEMLENS, MemlensTest, main


class FullDisk(MemlensTest):
    # Random sizes do not compress away.
    PROGRAM = ("import random; r = random.Random(1)\n"
               "kept = [bytearray(r.randrange(600, 60000)) for i in range(3000)]\n"
               "for i in range(300000): x = bytearray(r.randrange(600, 2000))\n"
               "print('done')\n")

    def record_into(self, path, **options):
        script = self.script(self.PROGRAM)
        result = subprocess.run([MEMLENS, "run", "-f", "-o", path, script], cwd=self.directory,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                timeout=120, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "done\n")
        told = [line for line in result.stderr.splitlines() if "cannot write" in line]
        self.assertEqual(len(told), 1, result.stderr)
        return told[0]

    def assert_told_to_be_cut(self, capture, reason):
        """Every report says that the capture was cut, where and why."""
        cut = re.compile(r"could not be written to its end \(%s\): it stops at byte [0-9]+, "
                         r"[0-9.]+ s after the start" % re.escape(reason))
        summary = self.summary(capture)
        self.assertGreater(summary["allocations"], 1000)
        self.assertIs(summary["complete"], False)
        self.assertRegex(summary["diagnostics"][0], cut)
        text = self.memlens("summary", capture)
        self.assertIn("ended early", text.stdout)
        self.assertRegex(text.stdout, cut)
        page = os.path.join(self.directory, "cut.html")
        for arguments in (["summary"], ["peak"], ["leaks", "--json"], ["temporary"],
                          ["allocations"], ["growing"], ["tree"], ["dump"],
                          ["flamegraph", "-f", "-o", page]):
            told = self.memlens(arguments[0], capture, *arguments[1:])
            self.assertRegex(told.stderr, cut, arguments)
        for view in ("peak", "leaks", "growing"):
            self.assertIn('"complete": false', self.memlens(view, capture, "--json").stdout)

    def test_a_full_file_system_ends_the_recording_and_not_the_program(self):
        mount, umount = self.need("mount", "umount")
        directory = tempfile.mkdtemp(dir=self.directory)
        if subprocess.run([mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", directory],
                          stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("mounting a small file system needs root")
        self.addCleanup(subprocess.run, [umount, directory])
        capture = os.path.join(directory, "full.mlens")
        self.assertIn("No space left on device", self.record_into(capture))
        self.assert_told_to_be_cut(capture, "No space left on device")

    def test_a_file_size_limit_ends_the_recording_and_not_the_program(self):
        limit = 256 * 1024
        capture = os.path.join(self.directory, "limited.mlens")

        def set_limit():
            resource.setrlimit(resource.RLIMIT_FSIZE,
                               (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

        self.assertIn("File too large", self.record_into(capture, preexec_fn=set_limit))
        self.assertLessEqual(os.path.getsize(capture), limit)
        self.assert_told_to_be_cut(capture, "File too large")

    def test_a_device_that_is_full_from_the_start_is_a_failure_before_the_program(self):
        result = self.memlens("run", "-o", "/dev/full", "sh", "-c", "echo ran", code=125)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr, "memlens: cannot write /dev/full: No space left on device\n")


if __name__ == "__main__":
    main()
