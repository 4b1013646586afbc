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

    def test_the_program_its_library_and_header_are_installed_and_what_shells_and_man_read(self):
        files = [os.path.relpath(os.path.join(folder, name), self.prefix)
                 for folder, _, names in os.walk(self.prefix) for name in names]
        pages = [name for name in files if name.startswith("share/man/man1/memlens")]
        self.assertIn("share/man/man1/memlens-run.1", pages)
        libraries = [name for name in files if name.startswith("lib")]
        self.assertEqual([os.path.basename(name) for name in libraries], ["libmemlens.so"])
        self.assertEqual(sorted(set(files) - set(pages) - set(libraries)),
                         ["bin/memlens", "include/memlens.h",
                          "share/bash-completion/completions/memlens",
                          "share/cmake/memlens/memlensConfig.cmake",
                          "share/cmake/memlens/memlensConfigVersion.cmake",
                          "share/fish/vendor_completions.d/memlens.fish",
                          "share/zsh/site-functions/_memlens"])

    def test_a_project_finds_the_header_as_a_cmake_package(self):
        self.script("""
cmake_minimum_required(VERSION 3.18)
project(user LANGUAGES C)
find_package(memlens REQUIRED)
add_executable(user user.c)
target_link_libraries(user PRIVATE memlens::memlens)
""", "CMakeLists.txt")
        self.script("""
#include <memlens.h>
#include <stdlib.h>
static memlens_pool pool = MEMLENS_POOL("arena");
int main(void) {
  memlens_pool_alloc(&pool, &pool, 1234);
  memlens_range_begin("work");
  void* volatile block = malloc(5000000);
  memlens_range_end("work");
  free(block);
  return 0;
}
""", "user.c")
        build = os.path.join(self.directory, "user-build")
        subprocess.run(["cmake", "-S", self.directory, "-B", build,
                        "-DCMAKE_PREFIX_PATH=" + self.prefix], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", build], check=True, stdout=subprocess.DEVNULL)
        capture = self.record([os.path.join(build, "user")])
        self.assertRegex(self.memlens("ranges", capture).stdout, r"5\.00 MB .* work")
        heaps = self.summary(capture)["by_allocator"]
        self.assertEqual(heaps["pool arena"]["leaked_bytes"], 1234)


if __name__ == "__main__":
    main()
