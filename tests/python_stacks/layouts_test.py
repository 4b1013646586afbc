"""The table of offsets says what the interpreters' own headers say."""
import os
import subprocess
import sysconfig  # noqa: F401  (the tested interpreters', asked by name below)

from memlens_testing import MemlensTest, main
from python_versions import TOOLS, interpreters

HERE = os.path.dirname(os.path.abspath(__file__))
ASK = ("import sysconfig as s; print(s.get_path('include')); print(s.get_config_var('LIBDIR'));"
       "print(s.get_config_var('LDVERSION')); print(s.get_config_var('Py_ENABLE_SHARED'))")


def fields(line):
    words = line.split()
    return int(words[1]), dict(word.split("=") for word in words[2:])


class Layouts(MemlensTest):
    def test_the_row_of_each_interpreter_is_what_its_headers_say(self):
        compiler = self.need("cc")
        table = dict(map(fields, subprocess.run(
            [os.path.join(TOOLS, "print_layouts")], stdout=subprocess.PIPE, text=True,
            check=True).stdout.splitlines()))
        checked = 0
        for name, path in interpreters():
            include, libraries, version, shared = subprocess.run(
                [path, "-c", ASK], stdout=subprocess.PIPE, text=True,
                check=True).stdout.splitlines()
            if shared != "1" or not os.path.exists(os.path.join(include, "internal")):
                continue  # Debian's has no library to link with, and shares its version's row
            with self.subTest(python=name):
                program = os.path.join(self.directory, "layout")
                subprocess.run([compiler, "-w", f"-I{include}", f"-I{include}/internal",
                                os.path.join(HERE, "print_header_layout.c"), "-o", program,
                                f"-L{libraries}", f"-lpython{version}",
                                f"-Wl,-rpath,{libraries}"], check=True)
                minor, stated = fields(subprocess.run(
                    [program], stdout=subprocess.PIPE, text=True, check=True).stdout)
                self.assertEqual(table[minor], stated)
                checked += 1
        if not checked:
            self.skipTest("no interpreter with headers and a shared library")


if __name__ == "__main__":
    main()
