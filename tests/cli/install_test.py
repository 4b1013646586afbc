"""What `cmake --install` puts into place works from there."""
import os
import shutil
import subprocess

import memlens_testing
from memlens_testing import BUILD, MemlensTest, main


class Installed(MemlensTest):
    def setUp(self):
        super().setUp()
        self.prefix = os.path.join(self.directory, "prefix")
        subprocess.run([self.need("cmake"), "--install", BUILD, "--prefix", self.prefix], check=True,
                       stdout=subprocess.DEVNULL)
        self.addCleanup(setattr, memlens_testing, "MEMLENS", memlens_testing.MEMLENS)
        memlens_testing.MEMLENS = os.path.join(self.prefix, "bin", "memlens")

    def test_a_recording_finds_the_installed_library(self):
        capture = self.record(["/bin/ls", "/"])
        self.assertGreater(self.summary(capture)["allocations"], 0)

    def test_the_folder_can_be_moved(self):
        moved = os.path.join(self.directory, "elsewhere")
        shutil.move(self.prefix, moved)
        memlens_testing.MEMLENS = os.path.join(moved, "bin", "memlens")
        capture = self.record(["/bin/ls", "/"])
        self.assertGreater(self.summary(capture)["allocations"], 0)

    def test_a_link_to_the_program_finds_the_library(self):
        link = os.path.join(self.directory, "memlens-link")
        os.symlink(memlens_testing.MEMLENS, link)
        memlens_testing.MEMLENS = link
        capture = self.record(["/bin/ls", "/"])
        self.assertGreater(self.summary(capture)["allocations"], 0)

    def test_nothing_but_the_program_its_library_and_its_header_is_installed(self):
        files = [os.path.relpath(os.path.join(folder, name), self.prefix)
                 for folder, _, names in os.walk(self.prefix) for name in names]
        self.assertEqual(sorted(os.path.basename(name) for name in files),
                         ["libmemlens.so", "memlens", "memlens.h"])


if __name__ == "__main__":
    main()
