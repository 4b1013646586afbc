"""However an interpreter is started, its stacks are Python's and its exit code is its own."""
import os
import re
import shutil
import subprocess

from memlens_testing import MemlensTest, main
from python_versions import blocks, interpreters

SCRIPT = """
import sys
def made(n):
    return bytes(n)
kept = made(900_000 - sys.getsizeof(b""))
sys.exit(23)
"""

ASK_LIBRARY = """
import os, sys, sysconfig as s
print(os.path.join(s.get_config_var("LIBDIR") or "", s.get_config_var("INSTSONAME") or "?"))
print(f"{sys.base_prefix}:{sys.base_exec_prefix}")
"""


class Startup(MemlensTest):
    def check(self, command, script, **run_options):
        """Whether its stacks have native frames."""
        capture = self.record([*command, script], code=23, **run_options)
        frames = blocks(capture, 900_000, 900_000, "native")[0]["frames"]
        self.assertEqual([frame for frame in frames if frame[0] == script],
                         [[script, 4, "made"], [script, 5, "<module>"]])
        return "[native]" in [frame[0] for frame in frames]

    def test_by_its_name_through_a_link_or_a_shell_script(self):
        script = self.script(SCRIPT)
        for name, path in interpreters():
            link = os.path.join(self.directory, "py-" + name.replace("/", "-"))
            os.symlink(path, link)
            shim = os.path.join(self.directory, "python3." + str(os.getpid()))
            with open(shim, "w", encoding="utf-8") as file:
                file.write(f'#!/bin/sh\nexec "{path}" "$@"\n')
            os.chmod(shim, 0o755)
            for how in ([path], [link], [shim], ["env", path], ["sh", "-c", f'"{path}" "$1"', "sh"]):
                with self.subTest(python=name, how=how):
                    native = self.check(how, script)
                    if how[0] in (path, link, shim):
                        self.assertFalse(native, "what is known to be Python has Python's frames")

    def test_by_the_loader(self):
        script = self.script(SCRIPT)
        for name, path in interpreters():
            with open(path, "rb") as file:
                loader = re.search(rb"(/lib\S*/ld-\S+?)\0", file.read(65536))
            if loader is None:
                continue
            with self.subTest(python=name):
                self.check([loader.group(1).decode(), path], script)

    def test_with_its_library_in_a_place_of_its_own(self):
        # As conda, relocated trees and programs that bring Python along have it: found by RPATH.
        compiler = self.need("cc")
        script = self.script(SCRIPT)
        source = os.path.join(self.directory, "odd.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write("int Py_BytesMain(int count, char** words);\n"
                       "int main(int count, char** words) { return Py_BytesMain(count, words); }\n")
        tried = 0
        for name, path in interpreters():
            library, home = subprocess.run([path, "-c", ASK_LIBRARY], stdout=subprocess.PIPE,
                                           text=True, check=True).stdout.splitlines()
            if not os.path.exists(library) or library.endswith(".a"):
                continue
            tree = os.path.join(self.directory, name.replace("/", "-"))
            os.makedirs(os.path.join(tree, "bin"))
            os.makedirs(os.path.join(tree, "odd place"))
            moved = shutil.copy(library, os.path.join(tree, "odd place"))
            program = os.path.join(tree, "bin", "app")
            subprocess.run([compiler, source, moved, "-o", program,
                            "-Wl,-rpath,$ORIGIN/../odd place"], check=True)
            environment = dict(os.environ, PYTHONHOME=home)
            if subprocess.run([program, "-c", ""], env=environment, stderr=subprocess.DEVNULL,
                              check=False).returncode != 0:
                print(f"{path}: its library cannot be moved", flush=True)
                continue
            with self.subTest(python=name):
                self.check([program], script, env=environment)
                tried += 1
        if tried == 0:
            self.skipTest("no shared libpython")

    def test_killed_by_a_signal_or_with_any_code(self):
        for name, path in interpreters():
            with self.subTest(python=name):
                for code, text in ((1, "raise SystemExit('no')"), (3, "import os; os._exit(3)"),
                                   (137, "import os; os.kill(os.getpid(), 9)"),
                                   (134, "import os; os.abort()")):
                    self.record([path, "-c", text], code=code)
                plain = subprocess.run([path, "-c", "1/0"], stderr=subprocess.PIPE, check=False)
                self.record([path, "-c", "1/0"], code=plain.returncode)


if __name__ == "__main__":
    main()
