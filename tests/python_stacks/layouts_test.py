"""The table of offsets says what the interpreters' own headers say."""
import os
import subprocess

from memlens_testing import MemlensTest, main
from python_versions import TOOLS, interpreters

HERE = os.path.dirname(os.path.abspath(__file__))
ASK = "import sysconfig as s; print(s.get_path('include')); print(s.get_path('platinclude'))"
# Loaded into the interpreter itself, whose types it prints: it need not be a shared library.
PRINT = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).print_layout()"


def fields(line):
    words = line.split()
    return words[1], dict(word.split("=") for word in words[2:])


class Layouts(MemlensTest):
    def test_the_row_of_each_interpreter_is_what_its_headers_say(self):
        compiler = self.need("cc")
        table = dict(map(fields, subprocess.run(
            [os.path.join(TOOLS, "print_layouts")], stdout=subprocess.PIPE, text=True,
            check=True).stdout.splitlines()))
        checked = 0
        for name, path in interpreters():
            include, of_platform = subprocess.run(
                [path, "-c", ASK], stdout=subprocess.PIPE, text=True,
                check=True).stdout.splitlines()
            if not os.path.exists(os.path.join(include, "internal")):
                continue
            with self.subTest(python=name):
                library = os.path.join(self.directory, f"layout-{checked}.so")
                subprocess.run([compiler, "-w", "-shared", "-fPIC", f"-I{include}",
                                f"-I{include}/internal", f"-I{of_platform}",
                                os.path.join(HERE, "print_header_layout.c"), "-o", library],
                               check=True)
                minor, stated = fields(subprocess.run(
                    [path, "-c", PRINT, library], stdout=subprocess.PIPE, text=True,
                    check=True).stdout)
                self.assertEqual(table[minor], stated)
                checked += 1
        if not checked:
            self.skipTest("no interpreter with headers")


if __name__ == "__main__":
    main()
