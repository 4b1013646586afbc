"""Programs that cannot be recorded, or only with care: they run as they would without memlens, as the
first process and as a child, and the message names the true cause."""
import os
import subprocess
import sys

from memlens_testing import MemlensTest, main

PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
  for (int i = 0; i < 100; ++i) {
    char *volatile block = malloc(1000 + i);
    memset(block, 1, 1000);
    free(block);
  }
  printf("done %s\\n", argc > 1 ? argv[1] : "");
  if (argc > 1 && strcmp(argv[1], "wrong") == 0) {
    char *volatile block = malloc(10);
    block[10] = 1;
  }
  return 7;
}
"""

STARTS_ANOTHER = """
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  if (fork() == 0) execl("/bin/true", "true", (char *)0);
  wait(0);
  return 3;
}
"""

OWN_OPTIONS = PROGRAM + 'const char *__asan_default_options(void) { return "exitcode=5"; }\n'


class Untouched(MemlensTest):
    def build(self, compiler, *flags, text=PROGRAM):
        compiler = self.need(compiler)
        source = os.path.join(self.directory, "p.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        program = os.path.join(self.directory, "p")
        result = subprocess.run([compiler, "-g", "-O0", "-fno-builtin", source, "-o", program, *flags],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode != 0:
            self.skipTest(f"{compiler} {' '.join(flags)}: {result.stdout.splitlines()[0]}")
        return program

    def check_same(self, program, *arguments):
        """As first process and as a child of a shell and of posix_spawn: exit code and output as without.
        Returns what memlens said of the first."""
        plain = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, cwd=self.directory)
        spawn = ("import os, sys; p = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ); "
                 "sys.exit(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]))")
        said = None
        for before in ([], ["sh", "-c", '"$@"; exit $?', "sh"], [sys.executable, "-c", spawn]):
            result = self.memlens("run", "-f", "-o", "c.mlens", "--", *before, program, *arguments,
                                  code=plain.returncode)
            self.assertEqual(result.stdout, plain.stdout)
            own = [line for line in result.stderr.splitlines() if line.startswith("memlens: ")]
            others = [line for line in result.stderr.splitlines() if line not in own]
            self.assertEqual(bool(others), bool(plain.stderr), result.stderr)
            self.assertNotIn("ld.so", result.stderr)
            said = said or "\n".join(own)
        return said

    def test_another_libc(self):
        said = self.check_same(self.build("musl-gcc"))
        self.assertIn("nothing was recorded: ", said)
        self.assertIn("/p uses another libc than glibc", said)

    def test_static_programs(self):
        for flags in (["-static"], ["-static-pie"]):
            with self.subTest(flags=flags):
                self.assertIn("/p is linked statically", self.check_same(self.build("cc", *flags)))

    def test_a_static_program_is_not_taken_for_what_it_starts(self):
        program = self.build("cc", "-static", text=STARTS_ANOTHER)
        result = self.memlens("run", "-o", "c.mlens", program, code=3)
        self.assertIn(f"memlens: only what {program} started was recorded: it is linked statically\n",
                      result.stderr)
        self.assertIn("its children only", self.memlens("summary", "c.mlens").stdout.splitlines()[0])
        summary = self.summary("c.mlens")
        self.assertEqual(summary["processes"], 1)
        self.assertIn(f"{program} is linked statically", summary["diagnostics"])

    def test_another_word_size(self):
        said = self.check_same(self.build("gcc", "-m32"))
        self.assertIn("/p is for another processor or word size", said)

    def test_the_library_of_address_sanitizer(self):
        for compiler, flags in (("gcc", []), ("clang", ["-shared-libasan"])):
            with self.subTest(compiler=compiler):
                self.check_library(compiler, flags)

    def check_library(self, compiler, flags):
        if compiler == "clang":
            folder = subprocess.run([self.need("clang"), "-print-runtime-dir"], text=True,
                                    stdout=subprocess.PIPE).stdout.strip()
            flags = flags + [f"-Wl,-rpath,{folder}"]
        program = self.build(compiler, "-fsanitize=address", *flags)
        self.check_same(program)
        capture = self.record([program], code=7)
        made = [stack["blocks"] for stack in self.stacks("allocations", capture)["stacks"]
                if any(frame["function"] == "main" for frame in stack["frames"])]
        self.assertGreaterEqual(sum(made), 100)
        # What the sanitizer is there for still works.
        self.check_same(program, "wrong")

    def test_a_program_that_sets_the_sanitizers_options_itself(self):
        program = self.build("gcc", "-fsanitize=address", text=OWN_OPTIONS)
        said = self.check_same(program, "wrong")
        self.assertIn("sets its options itself", said)
        environment = dict(os.environ, ASAN_OPTIONS="verify_asan_link_order=0")
        result = self.memlens("run", "-f", "-o", "c.mlens", program, code=7, env=environment)
        self.assertNotIn("nothing was recorded", result.stderr)

    def test_other_sanitizers_and_static_ones(self):
        for compiler, flags in (("gcc", ["-fsanitize=thread"]), ("gcc", ["-fsanitize=leak"]),
                                ("gcc", ["-fsanitize=undefined"]),
                                ("gcc", ["-fsanitize=address", "-static-libasan"]),
                                ("clang", ["-fsanitize=address"]), ("clang", ["-fsanitize=thread"]),
                                ("clang", ["-fsanitize=memory"]), ("clang", ["-fsanitize=leak"])):
            with self.subTest(compiler=compiler, flags=flags):
                self.check_same(self.build(compiler, *flags))


if __name__ == "__main__":
    main()
