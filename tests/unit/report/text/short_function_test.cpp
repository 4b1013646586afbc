#include "report/text/short_function.h"

#include <doctest/doctest.h>

using namespace memlens::report;

TEST_CASE("what a function is nested in is enough") {
  CHECK(short_function("rank.<locals>.<listcomp>", true) == "rank.<listcomp>");
  CHECK(short_function("(anonymous namespace)::Book::add", true) == "Book::add");
}

TEST_CASE("long template arguments become an ellipsis, short ones stay") {
  CHECK(short_function("std::vector<int>::push_back", true) == "std::vector<int>::push_back");
  CHECK(short_function("std::vector<std::pair<int, long>>::_M_insert<char const*, void>", true) ==
        "std::vector<…>::_M_insert<…>");
  CHECK(short_function("f<std::function<int()>>", false) == "f<..>");
}

TEST_CASE("a stack without frames to show says what it lacks") {
  CHECK(short_function("[native code]", true) == "[no Python frame]");
}

TEST_CASE("names in angle brackets and operators are no arguments") {
  for (const char* name : {"<module>", "<lambda>", "operator<", "operator<<", "Book::operator->",
                           "<alloc::vec::Vec<T> as Clone>::clone", "broken<arguments of nothing"}) {
    CHECK(short_function(name, true) == name);
  }
}

TEST_CASE("a function without a name in an extension module is told by the module's short name") {
  CHECK(short_function("_bz2.cpython-311-x86_64-linux-gnu.so+0x1a2b", true) == "_bz2.so+0x1a2b");
  CHECK(short_function("libz.so.1+0x1a2b", true) == "libz.so.1+0x1a2b");
}
