#include "report/view/growing.h"

#include <doctest/doctest.h>

#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;
using reader::GrowthPoint;

namespace {

std::vector<GrowthPoint> points_of(std::initializer_list<uint64_t> bytes, double variance = 0) {
  std::vector<GrowthPoint> points;
  for (const uint64_t value : bytes) {
    // As of samples none of which was freed: the variance is the sum's.
    points.push_back({value, 1, variance * static_cast<double>(value), 0});
  }
  return points;
}

bool grows(std::initializer_list<uint64_t> bytes, double variance = 0) {
  return is_growing(points_of(bytes, variance));
}

}  // namespace

TEST_CASE("what rises mark after mark grows") {
  CHECK(grows({10, 20, 30, 40, 50, 60, 70, 80, 90, 100}));
  CHECK(grows({0, 0, 0, 0, 10, 20, 30, 40, 50, 60}));  // began late
  CHECK(grows({10, 20, 20, 40, 50, 50, 70, 80, 80, 100}));
  CHECK(grows({100, 200, 290, 280, 400, 500, 600, 590, 700, 800}));  // hardly falls
}

TEST_CASE("what is filled once, comes and goes, or is steady does not") {
  CHECK_FALSE(grows({50, 50, 50, 50, 50, 50, 50, 50, 50, 50}));
  CHECK_FALSE(grows({10, 20, 30, 40, 50, 50, 50, 50, 50, 50}));
  CHECK_FALSE(grows({10, 90, 20, 95, 30, 99, 40, 100, 50, 101}));
  CHECK_FALSE(grows({90, 80, 70, 60, 50, 40, 30, 20, 10, 0}));
  CHECK_FALSE(grows({0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK_FALSE(grows({0, 0, 0, 0, 0, 0, 0, 0, 0, 70}));  // one step is no trend
}

TEST_CASE("of samples, a rise that may be chance is none") {
  // One sample stands for about 100 bytes: ten of them in all, then a hundred times as many.
  CHECK_FALSE(grows({100, 200, 300, 400, 500, 600, 700, 800, 900, 1000}, 100));
  CHECK(grows({10'000, 20'000, 30'000, 40'000, 50'000, 60'000, 70'000, 80'000, 90'000, 100'000},
              100));
}

TEST_CASE("threads that share a stack grow together, what gained most comes first") {
  sample::Sample sample;
  sample.add("main a", 60, 1, 1).add("main a", 40, 1, 2).add("main b", 500, 1).add("main c", 9, 1);
  reader::Analysis analysis;
  analysis.sites = sample.sites;
  analysis.growth =
      reader::Growth{{1, 2, 3, 4, 5},
                     {points_of({10, 40, 40, 50, 60}), points_of({0, 0, 20, 30, 40}),
                      points_of({100, 200, 300, 400, 500}), points_of({9, 9, 9, 9, 9})}};
  FrameTree tree;
  const auto stacks = find_growing(analysis, sample.frames(), tree);
  REQUIRE(stacks.size() == 2);
  CHECK(sample::calls_of(tree, stacks[0].node) == "main b");
  CHECK(sample::calls_of(tree, stacks[1].node) == "main a");
  CHECK(stacks[1].gained_bytes() == 90);
  CHECK(stacks[1].points[2].bytes == 60);
  CHECK(stacks[1].thread_index == 1);
}
