"""Stored results: reports from them are the reports without it, and they never get in the way."""
import glob
import os
import shutil
import stat

from memlens_testing import VIEWS, MemlensTest, main

PROGRAM = """
kept = [bytearray(1000 + i) for i in range(500)]
for i in range(2000):
    str(i) * 20
del kept[::2]
"""


class StoredResults(MemlensTest):
    def setUp(self):
        super().setUp()
        self.cache = os.path.join(self.directory, "cache")
        self.environment = dict(os.environ, XDG_CACHE_HOME=self.cache, MEMLENS_CACHE_AFTER="0")
        self.environment.pop("MEMLENS_NO_CACHE", None)

    def report(self, *arguments, **environment):
        return self.memlens(*arguments, env={**self.environment, **environment})

    def make_capture(self):
        without = dict(self.environment, MEMLENS_NO_CACHE="1")
        return self.record(["python3", "-S", self.script(PROGRAM)], env=without)

    def stored(self):
        return sorted(glob.glob(os.path.join(self.cache, "memlens", "*")))

    def commands(self, capture):
        for view in VIEWS:
            yield view, capture
            yield view, capture, "--json"
            yield "tree", capture, "--view", view
        yield "summary", capture
        yield "summary", capture, "--json"
        yield "summary", capture, "--from", "0.01", "--json"
        yield "summary", capture, "--threshold", "5", "--json"
        yield "summary", capture, "--at-exit", "--json"
        yield "temporary", capture, "--threshold", "5"

    def page(self, capture, *options):
        path = os.path.join(self.directory, "page.html")
        self.report("flamegraph", capture, "-f", "-o", path, *options)
        with open(path, "rb") as file:
            return file.read()

    def test_every_report_is_the_same_with_and_without_it(self):
        capture = self.make_capture()
        for command in self.commands(capture):
            with self.subTest(command=command):
                expected = self.report(*command, "--no-cache").stdout
                self.assertEqual(self.report(*command).stdout, expected)
                self.assertEqual(self.report(*command).stdout, expected)
        expected = self.page(capture, "--no-cache")
        self.assertEqual(self.page(capture), expected)
        self.assertEqual(self.page(capture), expected)
        # What the page needs is more than the others want, and serves them too.
        for command in self.commands(capture):
            with self.subTest(command=command):
                self.assertEqual(self.report(*command).stdout,
                                 self.report(*command, "--no-cache").stdout)

    def test_one_pass_serves_every_view(self):
        capture = self.make_capture()
        self.report("summary", capture)
        stored = self.stored()
        self.assertEqual(len(stored), 1)
        for view in VIEWS:
            self.report(view, capture)
            self.report("tree", capture, "--view", view)
        self.assertEqual(self.stored(), stored)

    def test_a_damaged_one_is_made_again_without_a_word(self):
        capture = self.make_capture()
        expected = self.report("summary", capture, "--json").stdout
        [path] = self.stored()
        with open(path, "rb") as file:
            good = file.read()
        for damaged in (b"", good[:len(good) // 2], good[:-1] + bytes([good[-1] ^ 1])):
            with open(path, "wb") as file:
                file.write(damaged)
            result = self.report("summary", capture, "--json")
            self.assertEqual((result.stdout, result.stderr), (expected, ""))
            with open(path, "rb") as file:
                self.assertEqual(file.read(), good)

    def test_a_capture_that_changed_is_read_again(self):
        capture = self.make_capture()
        other = self.record([self.program("allocate")],
                            env=dict(self.environment, MEMLENS_NO_CACHE="1"))
        expected = self.report("summary", other, "--json").stdout
        self.report("summary", capture, "--json")
        shutil.copyfile(other, capture)
        self.assertEqual(self.report("summary", capture, "--json").stdout, expected)

    def test_no_cache_and_the_environment_leave_nothing_behind(self):
        capture = self.make_capture()
        self.report("summary", capture, "--no-cache")
        self.report("summary", capture, MEMLENS_NO_CACHE="1")
        self.report("summary", capture, MEMLENS_CACHE_AFTER="1000")
        self.assertEqual(self.stored(), [])
        self.assertFalse(os.path.exists(self.cache))

    def test_only_the_user_can_read_it_and_nothing_stands_beside_the_capture(self):
        capture = self.make_capture()
        before = sorted(os.listdir(self.directory))
        self.report("summary", capture)
        self.assertEqual(sorted(os.listdir(self.directory)), sorted(before + ["cache"]))
        [path] = self.stored()
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)

    def test_where_it_cannot_be_kept_reports_work(self):
        capture = self.make_capture()
        with open(self.cache, "w", encoding="utf-8"):
            pass  # a file where the folder should be
        result = self.report("summary", capture)
        self.assertEqual(result.stderr, "")
        del self.environment["XDG_CACHE_HOME"]
        result = self.report("summary", capture, HOME="/nonexistent")
        self.assertEqual(result.stderr, "")

    def test_a_recording_leaves_it_for_its_first_report(self):
        capture = self.record(["python3", "-S", self.script(PROGRAM)], env=self.environment)
        stored = self.stored()
        self.assertEqual(len(stored), 1)
        self.report("summary", capture)
        self.assertEqual(self.stored(), stored)


if __name__ == "__main__":
    main()
