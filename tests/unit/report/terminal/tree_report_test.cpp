#include "report/terminal/tree_report.h"

#include <doctest/doctest.h>

#include <sstream>

#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;

namespace {

std::string print_tree(const sample::Sample& sample, const TreeLimits& limits,
                       bool unicode = true) {
  FrameTree frames;
  const StackList list(sample.sites, View::kPeak, Grouping::kByFrames, sample.frames(), frames);
  const CallTree tree(list, frames, View::kPeak);
  std::ostringstream out;
  print_tree_report(out, Terminal{80, unicode, false}, sample::capture_info(), reader::Totals{},
                    View::kPeak, tree, limits);
  const std::string text = out.str();
  return text.substr(text.find("\n\n") + 2);  // after the heading
}

}  // namespace

TEST_CASE("branches are drawn below their caller, the heaviest first") {
  sample::Sample sample;
  sample.add("main a", 25, 1).add("main b c", 75, 1);
  CHECK(print_tree(sample, {}) ==
        " share  total   own  function  place\n"
        " 100 %  100 B        main      app.py:4\n"
        "75.0 %   75 B        ├─ b      app.py:1\n"
        "               75 B  │  c      app.py:1\n"
        "25.0 %   25 B  25 B  └─ a      app.py:1\n");
}

TEST_CASE("small branches become one line of others that sums them") {
  sample::Sample sample;
  sample.add("main a", 96, 1).add("main b", 2, 1).add("main c", 2, 1);
  CHECK(print_tree(sample, {0.05, 4}, false) ==
        " share  total   own  function     place\n"
        " 100 %  100 B        main         app.py:4\n"
        " 4.0 %    4 B        |- 2 others\n"
        "96.0 %   96 B  96 B  a            app.py:1\n");
}

TEST_CASE("a run of single calls is one amount and cut in the middle") {
  sample::Sample sample;
  sample.add("a b c d e f g h", 10, 1);
  CHECK(print_tree(sample, {0.01, 4}) ==
        "share  total   own  function    place\n"
        "100 %   10 B        a           app.py:1\n"
        "                    b           app.py:1\n"
        "                    ⋮ 4 frames\n"
        "                    g           app.py:1\n"
        "              10 B  h           app.py:1\n");
}

TEST_CASE("a caller with bytes of its own starts a new amount in the run") {
  sample::Sample sample;
  sample.add("a", 10, 1).add("a b", 90, 1);
  CHECK(print_tree(sample, {}) ==
        " share  total   own  function  place\n"
        " 100 %  100 B  10 B  a         app.py:1\n"
        "90.0 %   90 B  90 B  b         app.py:1\n");
}

TEST_CASE("stacks of many thousand frames are printed") {
  std::string calls = "f";
  for (int i = 0; i < 20000; ++i) calls += i % 2 == 0 ? " gg" : " f";
  sample::Sample sample;
  sample.add(calls, 10, 1);
  CHECK(print_tree(sample, {}).find("19997 frames") != std::string::npos);
}
