#include "interposer/loader/file_functions.h"

#include <doctest/doctest.h>

#include <cstring>

namespace memlens::interposer {

extern "C" __attribute__((noinline, used)) int function_that_only_the_file_names(int x) {
  __asm__ volatile("");
  return x + 1;
}

namespace {

bool is_ours(const char* name) { return std::strncmp(name, "function_", 9) == 0; }
bool is_none(const char*) { return false; }

LoadedObject this_program() {
  LoadedObject object;
  REQUIRE(find_loaded_object(reinterpret_cast<uintptr_t>(&is_ours), object));
  return object;
}

constexpr const char* kParts[] = {"only_the_file_names"};

TEST_CASE("functions of a file are found by a part of their names") {
  FileFunction found[4];
  REQUIRE(find_functions_in_file(this_program(), kParts, 1, is_ours, found, 4) == 1);
  CHECK(found[0].start == reinterpret_cast<uintptr_t>(&function_that_only_the_file_names));
  CHECK(found[0].end > found[0].start);
  CHECK(std::strstr(found[0].name, "function_that_only_the_file_names") != nullptr);
  CHECK(find_functions_in_file(this_program(), kParts, 1, is_none, found, 4) == 0);
  CHECK(find_functions_in_file(this_program(), kParts, 1, is_ours, found, 0) == 0);
}

TEST_CASE("no function is found in a file that is not the mapped one") {
  FileFunction found[4];
  LoadedObject object = this_program();
  object.name = "/bin/true";  // as after a library was replaced
  CHECK(find_functions_in_file(object, kParts, 1, is_ours, found, 4) == 0);
  object.name = "/nowhere";
  CHECK(find_functions_in_file(object, kParts, 1, is_ours, found, 4) == 0);
}

}  // namespace
}  // namespace memlens::interposer
