"""Wrong and right ways to call memlens."""
from memlens_testing import MemlensTest, main

REPORTS = ("summary", "peak", "leaks", "temporary", "allocations", "tree", "dump")


class Usage(MemlensTest):
    def test_version_is_a_line_with_the_name_and_then_what_it_was_built_with(self):
        said = self.memlens("--version").stdout
        self.assertRegex(said, r"^memlens \d+\.\d+\.\d+\n")
        self.assertRegex(said, r"\nwrites captures of format \d+\.\d+, for \S+\n"
                               r"built with (gcc|clang) \d.*, zstd \d+\.\d+\.\d+, ")

    def test_help_names_every_command_and_shows_examples(self):
        text = self.memlens("--help").stdout
        for command in REPORTS + ("run", "flamegraph", "diff", "check", "lines", "export"):
            self.assertIn(command, text)
        self.assertIn("memlens run app.py", text)

    def test_every_command_has_help_of_its_own(self):
        for command in REPORTS:
            with self.subTest(command):
                self.assertIn("Example", self.memlens(command, "--help").stdout)

    def test_no_command_is_wrong_usage(self):
        result = self.memlens(code=2)
        self.assertEqual(result.stdout, "")
        self.assertIn("memlens --help", result.stderr)

    def test_an_unknown_command_is_wrong_usage(self):
        self.assertIn("sumary", self.memlens("sumary", "x.mlens", code=2).stderr)

    def test_an_unknown_option_is_wrong_usage(self):
        self.assertIn("--frm", self.memlens("peak", "x.mlens", "--frm", "1", code=2).stderr)

    def test_a_missing_capture_argument_is_wrong_usage(self):
        for command in REPORTS:
            with self.subTest(command):
                self.assertIn("CAPTURE", self.memlens(command, code=2).stderr)

    def test_a_number_that_is_none_is_wrong_usage(self):
        self.memlens("peak", "x.mlens", "-n", "many", code=2)
        self.memlens("peak", "x.mlens", "-n", "-3", code=2)
        self.memlens("tree", "x.mlens", "--view", "everything", code=2)

    def test_a_range_that_ends_before_it_starts_is_wrong_usage(self):
        self.memlens("peak", "x.mlens", "--from", "3", "--to", "2", code=2)

    def test_a_capture_that_does_not_exist_is_one_line_and_code_1(self):
        for command in REPORTS:
            with self.subTest(command):
                result = self.memlens(command, "absent.mlens", code=1)
                self.assertEqual(result.stdout, "")
                self.assertEqual(result.stderr.count("\n"), 1)
                self.assertIn("absent.mlens", result.stderr)

    def test_a_file_that_is_no_capture_is_one_line_and_code_1(self):
        path = self.script("print('hello')\n" * 20)
        for command in REPORTS:
            with self.subTest(command):
                result = self.memlens(command, path, code=1)
                self.assertEqual(result.stderr.count("\n"), 1)
                self.assertIn(path, result.stderr)


if __name__ == "__main__":
    main()
