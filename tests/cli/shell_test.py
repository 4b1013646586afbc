"""Completions, as the shells themselves make of them, and manual pages."""
import os
import pty
import re
import select
import subprocess
import time

from memlens_testing import MemlensTest, main

COMMANDS = ("run", "summary", "peak", "leaks", "tree", "diff", "check", "export", "live", "attach")
TRY_IN_BASH = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
_memlens 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Shell(MemlensTest):
    def script_for(self, shell):
        path = os.path.join(self.directory, "completion." + shell)
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.memlens("completion", shell).stdout)
        return path

    def bash(self, *words):
        return subprocess.run(["bash", "--norc", "-c", TRY_IN_BASH, "bash", self.bash_script, *words],
                              cwd=self.directory, stdout=subprocess.PIPE, text=True,
                              check=True).stdout.split()

    def test_bash_completes_commands_options_values_captures_and_what_is_run(self):
        self.need("bash")
        self.bash_script = self.script_for("bash")
        for name in ("one.mlens", "other.txt"):
            self.script("", name)
        for command in COMMANDS:
            self.assertIn(command, self.bash("memlens", ""))
        self.assertEqual(self.bash("memlens", "pe"), ["peak"])
        self.assertEqual(self.bash("memlens", "peak", "--js"), ["--json"])
        views = ["peak", "leaks", "temporary", "allocations"]
        self.assertEqual(self.bash("memlens", "tree", "--view", ""), views)
        self.assertEqual(self.bash("memlens", "tree", "--view", "=", "le"), ["leaks"])
        self.assertEqual(self.bash("memlens", "peak", ""), ["one.mlens"])
        self.assertEqual(self.bash("memlens", "export", "-o", "ot"), ["other.txt"])
        self.assertIn(str(os.getpid()), self.bash("memlens", "attach", str(os.getpid())))
        self.assertIn("--native", self.bash("memlens", "run", "--na"))
        # What follows the program's name is the program's, and no option of memlens.
        self.assertNotIn("--native", self.bash("memlens", "run", "-o", "x", "ls", "--na"))
        self.assertIn("other.txt", self.bash("memlens", "run", "--native", "cat", "oth"))

    def test_fish_completes_commands_options_and_values(self):
        fish = self.need("fish")
        script = self.script_for("fish")

        def complete(line):
            said = subprocess.run([fish, "--no-config", "-c", 'source $argv[1]; complete -C $argv[2]',
                                   script, line], cwd=self.directory, stdout=subprocess.PIPE,
                                  text=True, check=True, env={**os.environ, "HOME": self.directory})
            return [each.split("\t")[0] for each in said.stdout.splitlines()]

        self.script("", "one.mlens")
        self.assertEqual(complete("memlens pe"), ["peak"])
        self.assertEqual(complete("memlens peak --js"), ["--json"])
        self.assertEqual(sorted(complete("memlens tree --view ")),
                         ["allocations", "leaks", "peak", "temporary"])
        self.assertEqual(complete("memlens peak ")[0], "one.mlens")
        # A value that is called like a command is none.
        self.assertNotIn("--json", complete("memlens tree --view peak --js"))

    def test_zsh_completes_commands_options_and_values(self):
        zsh = self.need("zsh")
        script = self.script_for("zsh")
        self.script("", "one.mlens")
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.directory)
            os.environ.update(TERM="dumb", HOME=self.directory, COLUMNS="150")
            os.execv(zsh, ["zsh", "-f", "-i"])
        self.addCleanup(os.close, terminal)

        def type_and_wait(keys, wanted):
            os.write(terminal, keys.encode())
            seen, end = "", time.monotonic() + 30
            while not re.search(wanted, seen):
                left = end - time.monotonic()
                self.assertGreater(left, 0, f"{wanted!r} never came: {seen}")
                if select.select([terminal], [], [], left)[0]:
                    seen += os.read(terminal, 65536).decode(errors="replace")

        # Keys are for the line editor once its prompt is there.
        type_and_wait("PS1='>>> '; unsetopt prompt_cr; autoload -Uz compinit; compinit -u -D; "
                      "source %s; bindkey '^I' complete-word; print re''ady\n" % script,
                      r"ready\r?\n>>> ")
        for keys, wanted in (("memlens explai\t", r"memlens explain "),
                             ("memlens peak --js\t", r"--json "),
                             ("memlens tree --view te\t", r"temporary "),
                             ("memlens leaks o\t", r"one\.mlens "),
                             ("memlens run --nati\t", r"--native ")):
            type_and_wait(keys, wanted)
            type_and_wait("\x15print ne''xt\n", r"next\r?\n>>> ")
        os.write(terminal, b"exit\n")
        os.waitpid(pid, 0)

    def test_every_command_has_a_manual_page_with_its_options_and_examples(self):
        pages = os.path.join(self.directory, "man1")
        self.memlens("manual", "--into", pages)
        self.assertIn("memlens.1", os.listdir(pages))
        for command in COMMANDS:
            self.assertIn("memlens-%s.1" % command, os.listdir(pages))
        with open(os.path.join(pages, "memlens-peak.1"), encoding="utf-8") as file:
            text = file.read()
        for part in (".SH SYNOPSIS", r"\fB\-\-from\fR", ".SH EXAMPLES", r"memlens peak app.mlens"):
            self.assertIn(part, text)
        mandoc = self.need("mandoc")
        for name in os.listdir(pages):
            checked = subprocess.run([mandoc, "-T", "lint", "-W", "warning",
                                      os.path.join(pages, name)],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            complaints = [line for line in checked.stdout.splitlines()
                          if "missing date" not in line and "STYLE" not in line]
            self.assertEqual(complaints, [], name)

    def test_a_shell_that_is_not_known_is_wrong_usage(self):
        self.assertIn("tcsh", self.memlens("completion", "tcsh", code=2).stderr)


if __name__ == "__main__":
    main()
