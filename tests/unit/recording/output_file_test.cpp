#include "interposer/recording/output_file.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "interposer/recording/run_error.h"

using namespace memlens::recording;

namespace {

struct Directory {
  Directory() {
    char name[] = "/tmp/memlens-output-XXXXXX";
    path = mkdtemp(name);
    before = std::filesystem::current_path();
    std::filesystem::current_path(path);
  }
  ~Directory() {
    std::filesystem::current_path(before);
    std::filesystem::remove_all(path);
  }
  std::filesystem::path path;
  std::filesystem::path before;
};

}  // namespace

TEST_CASE("patterns are filled in and other percent signs kept") {
  CHECK(expand_output_pattern("a%p-%%-%x%", 42) == "a42-%-%x%");
}

TEST_CASE_FIXTURE(Directory,
                  "a default name that is taken gets a number, a given one is an error") {
  const OutputFile first = create_output("", "app", 7, false);
  CHECK(first.path == "memlens-app-7.mlens");
  const OutputFile second = create_output("", "app", 7, false);
  CHECK(second.path == "memlens-app-7-2.mlens");
  CHECK_THROWS_AS(create_output("memlens-app-7.mlens", "app", 7, false), RunError);
  close(first.fd);
  close(second.fd);
}

TEST_CASE_FIXTURE(Directory, "forcing replaces the file and leaves its readers the old one") {
  std::ofstream("x.mlens") << "old";
  std::ifstream reader("x.mlens");
  const OutputFile file = create_output("x.mlens", "app", 7, true);
  CHECK(file.regular);
  CHECK(std::filesystem::file_size("x.mlens") == 0);
  std::string text;
  reader >> text;
  CHECK(text == "old");
  close(file.fd);
}

TEST_CASE_FIXTURE(Directory, "forcing writes through a link") {
  std::ofstream("real.mlens") << "old";
  std::filesystem::create_symlink("real.mlens", "link.mlens");
  const OutputFile file = create_output("link.mlens", "app", 7, true);
  CHECK(std::filesystem::is_symlink("link.mlens"));
  CHECK(std::filesystem::file_size("real.mlens") == 0);
  close(file.fd);
}

TEST_CASE("a device is no file and needs no force") {
  const OutputFile file = create_output("/dev/null", "app", 7, false);
  CHECK_FALSE(file.regular);
  close(file.fd);
}
