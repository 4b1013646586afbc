#include "report/terminal/table.h"

#include <doctest/doctest.h>

#include <sstream>

using namespace memlens::report;

namespace {

std::string print(const Table& table, size_t columns, bool color = false) {
  std::ostringstream out;
  table.print(out, Terminal{columns, true, color}, 1);
  return out.str();
}

}  // namespace

TEST_CASE("columns line up under their titles and no line ends with blanks") {
  Table table({{"n", Align::kRight}, {"name"}, {}});
  table.add_row({"1", "größe", "x"});
  table.add_row({"200", "b", ""});
  CHECK(print(table, 80) ==
        "   n  name\n"
        "   1  größe  x\n"
        " 200  b\n");
}

TEST_CASE("the last columns become narrower first") {
  Table table({{"", Align::kLeft, Cut::kEnd, 4}, {"", Align::kLeft, Cut::kFolders, 4}});
  table.add_row({"function", "path/file.py"});
  CHECK(print(table, 23) == " function  path/file.py\n");
  CHECK(print(table, 20) == " function  …/file.py\n");
}

TEST_CASE("a remark that would be torn is left out") {
  Table table({{"a"}, {"", Align::kLeft, Cut::kEnd, 10}});
  table.add_row({"value", "some remark of twenty"});
  CHECK(print(table, 30) == " a\n value  some remark of twenty\n");
  CHECK(print(table, 20) == " a\n value  some remark…\n");
  CHECK(print(table, 16) == " a\n value\n");
}

TEST_CASE("columns go below their minimum when nothing else helps") {
  Table table({{"a", Align::kLeft, Cut::kEnd, 20}});
  table.add_row({"a value of twenty-six here"});
  CHECK(print(table, 22) == " a\n a value of twenty-si…\n");
  CHECK(print(table, 14) == " a\n a value of t…\n");
}

TEST_CASE("colour does not count as width") {
  Table table({{}, {}});
  table.add_row({{"a", Paint::kBold}, "x"});
  table.add_row({"bb", "y"});
  CHECK(print(table, 80, true) == " \x1b[1ma\x1b[0m   x\n bb  y\n");
}
