#include "interposer/python/runtime.h"

#include <doctest/doctest.h>

#include "interposer/python/known_layouts.h"

using namespace memlens::interposer::python;

TEST_CASE("versions are read from what Py_GetVersion says") {
  CHECK(parse_version("3.11.7 (main, Jan 1 2024) [GCC 12]") == 0x030b07f0);
  CHECK(parse_version("3.8.18") == 0x030812f0);
  CHECK(parse_version("3.13.0rc2 (tags/...)") == 0x030d00f0);
  CHECK(parse_version("") == 0);
  CHECK(parse_version("PyPy") == 0);
  CHECK(parse_version("3.11") == 0);
  CHECK(parse_version("3.999.1") == 0);
}

TEST_CASE("each version has one row, and no version to come has one") {
  for (unsigned minor = 8; minor <= 14; ++minor) {
    REQUIRE(find_layout(minor) != nullptr);
    CHECK(find_layout(minor)->minor == minor);
  }
  CHECK(find_layout(7) == nullptr);
  CHECK(find_layout(16) == nullptr);
  CHECK(find_layout(12, true) == nullptr);
  CHECK(find_layout(13, true)->free_threaded);
}

TEST_CASE("a program without Python has no runtime") {
  Runtime found;
  CHECK(interpreter_presence() == Presence::kAbsent);
  CHECK_FALSE(find_runtime(found));
  CHECK_FALSE(found.found());
}
