#include "report/view/source_lines.h"

#include <doctest/doctest.h>

#include <sstream>

#include "report/terminal/lines_report.h"
#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;

namespace {

struct Stacks {
  explicit Stacks(const sample::Sample& sample)
      : sums(sum_stacks(sample.sites, Grouping::kByFrames, sample.frames(), tree)) {}
  FrameTree tree;
  std::vector<StackSums> sums;
};

}  // namespace

TEST_CASE("each stack counts at one line, so the columns add up") {
  sample::Sample sample;
  sample.add("main load !fopen", 100, 1).add("main load !read", 50, 2).add("main ab", 30, 1);
  const Stacks stacks(sample);
  const auto lines =
      find_source_lines(stacks.sums, stacks.tree, CodeOrigins(sample::capture_info()));
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].frame->function == "load");
  CHECK(lines[0].of(View::kPeak).bytes == 150);
  CHECK(lines[0].of(View::kAllocations).blocks == 3);
  CHECK(lines[1].of(View::kLeaks).bytes == 30);
}

TEST_CASE("in a file a stack counts at its innermost line there") {
  sample::Sample sample;
  sample.add("main load", 100, 1).add("main ab", 30, 1).add("!start", 5, 1);
  const Stacks stacks(sample);
  const auto lines = find_lines_of_file(stacks.sums, stacks.tree, "/src/app.py");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].frame->line == 2);  // ab
  CHECK(lines[0].of(View::kPeak).bytes == 30);
  CHECK(lines[1].frame->line == 4);  // load
  CHECK(find_lines_of_file(stacks.sums, stacks.tree, "/other.py").empty());
}

TEST_CASE("files are found by their path or its end") {
  sample::Sample sample;
  sample.add("main", 100, 1);
  const Stacks stacks(sample);
  CHECK(find_files(stacks.tree, "/src/app.py").size() == 1);
  CHECK(find_files(stacks.tree, "app.py").size() == 1);
  CHECK(find_files(stacks.tree, "./app.py").size() == 1);
  CHECK(find_files(stacks.tree, "pp.py").empty());
  CHECK(find_files(stacks.tree, "").empty());
}

TEST_CASE("a listing shows every line of the source, numbers where there are some") {
  sample::Sample sample;
  sample.add("ab", 30'000, 3);
  const Stacks stacks(sample);
  const auto lines = find_lines_of_file(stacks.sums, stacks.tree, "/src/app.py");
  const std::vector<std::string> source = {"import os", "\tx = load()", "print(x)"};
  std::ostringstream out;
  print_file_listing(out, Terminal{}, sample::capture_info(), lines, source);
  CHECK(out.str() ==
        "\napp.py\n"
        "     peak  still allocated  allocated  blocks  line  source\n"
        "                                                  1  import os\n"
        "  30.0 kB          30.0 kB    30.0 kB       3     2          x = load()\n"
        "                                                  3  print(x)\n");
  CHECK(is_same_source(lines, source));
  CHECK(!is_same_source(lines, {"import os"}));
}
