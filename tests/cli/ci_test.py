"""The commands of docs/ci.md, run one after the other as the runners do it."""
import os
import re
import subprocess

from memlens_testing import BUILD, SOURCE, MemlensTest, main

APP = "def load():\n    return [bytes(10_000) for _ in range(200)]\n\nkept = load()\n"


class ContinuousIntegration(MemlensTest):
    def setUp(self):
        super().setUp()
        with open(os.path.join(SOURCE, "docs", "ci.md"), encoding="utf-8") as file:
            self.text = file.read()
        self.script(APP, "app.py")
        self.summary_file = os.path.join(self.directory, "summary.md")
        self.environment = {**os.environ, "PATH": os.path.join(BUILD, "bin") + ":/usr/bin:/bin",
                            "GITHUB_STEP_SUMMARY": self.summary_file,
                            "GITHUB_WORKSPACE": self.directory}

    def section(self, heading):
        return re.split(r"(?m)^## ", self.text.split("## " + heading + "\n")[1])[0]

    def run_line(self, line, code=0):
        result = subprocess.run(["bash", "-e", "-c", line], cwd=self.directory, text=True,
                                env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                timeout=self.time_limit_seconds, check=False)
        self.assertEqual(result.returncode, code, line + "\n" + result.stdout + result.stderr)
        return result.stdout

    def write_baseline(self):
        lines = re.findall(r"(?m)^\$ (.*)", self.section("The baseline"))
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.run_line(line)
        self.assertTrue(os.path.exists(os.path.join(self.directory, "memory.json")))

    def action(self):
        """Its two commands, and what the job gives it."""
        section = self.section("GitHub")
        commands = re.findall(r"(?m)^ +run: (memlens .*)", section)
        self.assertEqual(len(commands), 2)
        given = re.search(r"with: \{command: (.*), limits: (.*)\}", section).groups()
        return commands, dict(zip(("command", "limits"), given))

    def run_action(self, codes, **given):
        commands, inputs = self.action()
        inputs.update(given)
        said = ""
        for command, code in zip(commands, codes):
            said = self.run_line(re.sub(r"\$\{\{ inputs\.(\w+) \}\}",
                                        lambda found: inputs[found.group(1)], command), code)
        for name in ("memory.mlens", "memory.html"):  # what it uploads
            self.assertTrue(os.path.exists(os.path.join(self.directory, name)))
        return said

    def test_the_action_s_commands_hold_and_fail_with_an_annotation_at_the_line(self):
        self.write_baseline()
        self.run_action((0, 0))
        said = self.run_action((0, 3), limits="--max-peak 1MB")
        self.assertRegex(said, r"::error file=app\.py,line=2[,:]")
        with open(self.summary_file, encoding="utf-8") as file:
            self.assertIn("max-peak", file.read())
        # What grew since the baseline.
        self.script(APP.replace("200", "900"), "app.py")
        said = self.run_action((0, 3), limits="--baseline memory.json")
        self.assertRegex(said, r"::error file=app\.py,line=2[,:]")

    def test_gitlab_s_commands_write_what_it_collects(self):
        self.write_baseline()
        os.unlink(os.path.join(self.directory, "app.mlens"))
        lines = [line for line in re.findall(r"(?m)^    - (.*)", self.section("GitLab"))
                 if not line.startswith("pip ")]
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.run_line(line)
        collected = re.search(r"junit: (\S+?)\}", self.section("GitLab")).group(1)
        kept = re.search(r"paths: \[(.*)\]", self.section("GitLab")).group(1).split(", ")
        for name in (collected, *kept):
            self.assertTrue(os.path.getsize(os.path.join(self.directory, name)))


if __name__ == "__main__":
    main()
