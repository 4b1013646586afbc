"""Two captures side by side."""
import json
import os
import shutil

from memlens_testing import VIEWS, MemlensTest, functions, main

PROGRAM = """
kept = []

def keep(count):
    kept.append(bytearray(1_000_000 * count))

def hold():
    held = [bytearray(100_000) for _ in range(8)]
    return len(held)

keep({count})
hold()
"""

VIEW_MEMBERS = {"peak": ("peak_bytes", "peak_blocks"), "leaks": ("leaked_bytes", "leaked_blocks"),
                "temporary": ("temporary_bytes", "temporary_blocks"),
                "allocations": ("allocated_bytes", "allocations")}


class Diff(MemlensTest):
    def record_script(self, text, folder):
        folder = os.path.join(self.directory, folder)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "script.py"), "w", encoding="utf-8") as file:
            file.write(text)
        return self.record(["python3", "-S", "script.py"], cwd=folder)

    def diff(self, old, new, *options):
        report = json.loads(self.memlens("diff", old, new, "--json", *options).stdout)
        for member in ("bytes", "blocks"):
            for side in ("old", "new", "delta"):
                name = f"{side}_{member}"
                self.assertEqual(sum(s[name] for s in report["stacks"]), report[name], name)
        return report

    def test_sums_equal_both_totals_in_every_view(self):
        old = self.record_script(PROGRAM.format(count=1), "old")
        new = self.record_script(PROGRAM.format(count=3), "new")
        sides = (("old", self.summary(old)), ("new", self.summary(new)))
        for view in VIEWS:
            with self.subTest(view):
                report = self.diff(old, new, "--view", view)
                self.assertEqual(report["schema"], "memlens.diff/1")
                self.assertEqual(report["view"], view)
                for side, summary in sides:
                    for member, total in zip(("bytes", "blocks"), VIEW_MEMBERS[view]):
                        self.assertEqual(report[f"{side}_{member}"], summary[total])
                weights = [abs(s["delta_blocks" if view == "temporary" else "delta_bytes"])
                           for s in report["stacks"]]
                self.assertEqual(weights, sorted(weights, reverse=True))

    def test_an_edit_above_and_another_folder_make_no_stack_new(self):
        old = self.record_script(PROGRAM.format(count=1), "old")
        new = self.record_script("\n# moved down\n" * 20 + PROGRAM.format(count=3), "new")
        report = self.diff(old, new, "--view", "leaks")
        stack = report["stacks"][0]
        self.assertEqual(functions(stack), ["keep", "<module>"])
        self.assertEqual(stack["delta_bytes"], 2_000_000)
        self.assertEqual(stack["delta_blocks"], 0)
        self.assertEqual(stack["frames"][0]["line"], 45)  # where it is now
        text = self.memlens("diff", old, new, "--view", "leaks", "-n", 1).stdout
        self.assertRegex(text, r"1\.  \+2\.00 MB  1\.00 MB \S+ 3\.00 MB")

    def test_a_program_that_was_built_again_is_matched(self):
        compiler = self.need("cc")
        source = """
            #include <stdlib.h>
            %s
            __attribute__((noinline)) void *grow(int count) { return calloc(count, 1000); }
            int main(void) { return grow(%d) == 0; }
            """
        captures = []
        for folder, above, count in (("a", "", 10), ("b", "int unused(int x) { return x * 3; }\n", 30)):
            folder = os.path.join(self.directory, folder)
            os.makedirs(folder)
            with open(os.path.join(folder, "grow.c"), "w", encoding="utf-8") as file:
                file.write(source % (above, count))
            self.assertEqual(os.system(f"cd {folder} && {compiler} -g -O1 -o grow grow.c"), 0)
            captures.append(self.record([os.path.join(folder, "grow")]))
            shutil.rmtree(folder)  # a report needs neither program nor source
        report = self.diff(*captures, "--view", "leaks")
        stack = report["stacks"][0]
        self.assertIn("grow", functions(stack))
        self.assertEqual((stack["old_bytes"], stack["new_bytes"]), (10_000, 30_000))
        self.assertEqual([s for s in report["stacks"] if s["delta_bytes"]], [stack])

    def test_native_frames_count_only_where_both_captures_have_them(self):
        python = self.record_script(PROGRAM.format(count=1), "one")
        native = self.record(["python3", "-S", "script.py"], "--native",
                             cwd=os.path.join(self.directory, "one"))
        report = self.diff(python, native, "--view", "leaks")
        kept = next(s for s in report["stacks"] if functions(s)[0] == "keep")
        self.assertGreaterEqual(kept["old_bytes"], 1_000_000)
        self.assertEqual(kept["delta_bytes"], 0)

    def test_a_capture_does_not_differ_from_itself(self):
        capture = self.record_script(PROGRAM.format(count=1), "one")
        report = self.diff(capture, capture)
        self.assertEqual({s["delta_bytes"] for s in report["stacks"]}, {0})
        self.assertIn("No stack differs", self.memlens("diff", capture, capture).stdout)

    def test_n_keeps_the_totals(self):
        old = self.record_script(PROGRAM.format(count=1), "old")
        new = self.record_script(PROGRAM.format(count=2), "new")
        whole = self.diff(old, new)
        few = json.loads(self.memlens("diff", old, new, "--json", "-n", 2).stdout)
        self.assertEqual(few["stacks"], whole["stacks"][:2])
        self.assertEqual(few["new_bytes"], whole["new_bytes"])
        self.assertEqual(few["stack_count"], len(whole["stacks"]))

    def test_text_fits_and_is_plain(self):
        old = self.record_script(PROGRAM.format(count=1), "old")
        new = self.record_script(PROGRAM.format(count=2), "new")
        for columns in (70, 120):
            text = self.memlens("diff", old, new, env=dict(os.environ, COLUMNS=str(columns))).stdout
            self.assertLessEqual(max(map(len, text.splitlines())), columns, text)
        text = self.memlens("diff", old, new, env=dict(os.environ, LC_ALL="C")).stdout
        self.assertTrue(text.isascii(), text)

    def test_wrong_usage(self):
        capture = self.record_script("x = 1", "one")
        self.assertIn("NEW", self.memlens("diff", capture, code=2).stderr)
        result = self.memlens("diff", capture, "absent.mlens", code=1)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertIn("absent.mlens", result.stderr)


if __name__ == "__main__":
    main()
