// Every capture of this folder reads as its .expected file says, today and with every later reader.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/describe_capture.h"

TEST_CASE("golden captures read as expected") {
  size_t captures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MEMLENS_GOLDEN_DIRECTORY)) {
    if (entry.path().extension() != ".mlens") continue;
    ++captures;
    CAPTURE(entry.path().string());
    std::filesystem::path expected_path = entry.path();
    std::ifstream file(expected_path.replace_extension(".expected"), std::ios::binary);
    REQUIRE(file);
    const std::string expected(std::istreambuf_iterator<char>(file), {});
    CHECK(memlens::testing::describe_capture(entry.path()) == expected);
    // Captures are named for what they are.
    const bool invalid = entry.path().filename().string().rfind("invalid_", 0) == 0;
    CHECK((expected.rfind("error: ", 0) == 0) == invalid);
  }
  CHECK(captures >= 20);
}
