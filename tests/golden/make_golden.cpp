// Writes the golden files anew: memlens_make_golden DIRECTORY
//
// Only for new cases. A released capture is kept as it is, whatever today's writer would make of
// it: existing .mlens files are not touched, so that what once could be read always can. The
// .expected files are rewritten from today's reader; look at the difference before it is committed.

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/support/describe_capture.h"
#include "tests/support/sample_captures.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: memlens_make_golden DIRECTORY\n");
    return 2;
  }
  const std::filesystem::path directory = argv[1];
  for (const auto& [name, bytes] : memlens::testing::sample_captures()) {
    const auto capture = directory / (name + ".mlens");
    if (!std::filesystem::exists(capture)) std::ofstream(capture, std::ios::binary) << bytes;
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".mlens") continue;
    std::filesystem::path expected = entry.path();
    std::ofstream(expected.replace_extension(".expected"), std::ios::binary)
        << memlens::testing::describe_capture(entry.path());
  }
  return 0;
}
