#include "report/terminal/stack_report.h"

#include <doctest/doctest.h>

#include <sstream>

#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;

namespace {

std::string print(const sample::Sample& sample, const StackReportLimits& limits) {
  FrameTree tree;
  const StackList list(sample.sites, View::kPeak, Grouping::kByFrames, sample.frames(), tree);
  reader::Totals totals;
  totals.peak_bytes = list.total().bytes;
  totals.peak_blocks = list.total().blocks;
  totals.peak_seconds = 1.5;
  std::ostringstream out;
  print_stack_report(out, Terminal{80, true, false}, sample::capture_info(), totals, View::kPeak,
                     list, tree, CodeOrigins(sample::capture_info()), limits);
  return out.str();
}

}  // namespace

TEST_CASE("stacks are listed with their shares, the rest as one line") {
  sample::Sample sample;
  sample.add("main load !fopen", 600, 2).add("main a", 300, 1, 2).add("main b", 100, 1);
  CHECK(print(sample, {2, 0}) ==
        "python3 app.py · Python 3.11.2 · 2.000 s · 1 process, 2 threads\n"
        "Peak: 1.00 kB in 4 blocks, at 1.500 s of 2.000 s\n"
        "\n"
        "1.  60.0 %  600 B in 2 blocks  via malloc  in thread 4711\n"
        "       fopen  libc.so.6\n"
        "    ▸  load   app.py:4\n"
        "       main   app.py:4\n"
        "\n"
        "2.  30.0 %  300 B in 1 block  via malloc  in thread 4712\n"
        "    ▸  a     app.py:1\n"
        "       main  app.py:4\n"
        "\n"
        "1 more stack: 10.0 %, 100 B in 1 block  (-n 0 shows all)\n");
}

TEST_CASE("an empty view says so in its totals") {
  CHECK(print({}, {10, 0}) ==
        "python3 app.py · Python 3.11.2 · 2.000 s · 1 process, 2 threads\n"
        "Peak: 0 B in 0 blocks, at 1.500 s of 2.000 s\n");
}
