#include "interposer/symbolizer/line_table.h"

#include <doctest/doctest.h>

using namespace memlens::symbolizer;

TEST_CASE("paths lose their detours") {
  CHECK(normal_path("/a/./b/../c.h") == "/a/c.h");
  CHECK(normal_path("/../a//b") == "/a/b");
  CHECK(normal_path("../x/../y") == "../y");
  CHECK(normal_path("./malloc.c") == "malloc.c");
  CHECK(normal_path("") == "");
}

TEST_CASE("relative files belong to the directory of the compilation") {
  CHECK(source_path("/build", "src/a.c") == "/build/src/a.c");
  CHECK(source_path("/build", "/usr/include/a.h") == "/usr/include/a.h");
  CHECK(source_path("./malloc", "./malloc/malloc.c") == "malloc/malloc.c");
  CHECK(source_path("./math", "../sysdeps/x86_64/e_exp.c") == "sysdeps/x86_64/e_exp.c");
  CHECK(source_path("", "a.c") == "a.c");
}
