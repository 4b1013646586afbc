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

GrowthShape shape_of(std::initializer_list<uint64_t> bytes, double variance = 0) {
  return growth_shape(points_of(bytes, variance));
}

Growing growing_of(const sample::Sample& sample, const reader::Analysis& analysis,
                   FrameTree& tree) {
  return find_growing(analysis, sample.frames(), tree, CodeOrigins(sample::capture_info()));
}

}  // namespace

TEST_CASE("what goes on rising to the end is a leak") {
  CHECK(shape_of({10, 20, 30, 40, 50, 60, 70, 80, 90, 100}) == GrowthShape::kLeak);
  CHECK(shape_of({0, 0, 0, 0, 10, 20, 30, 40, 50, 60}) == GrowthShape::kLeak);  // began late
  CHECK(shape_of({10, 20, 20, 40, 50, 50, 70, 80, 80, 100}) == GrowthShape::kLeak);
  CHECK(shape_of({100, 200, 290, 280, 400, 500, 600, 590, 700, 800}) == GrowthShape::kLeak);
  CHECK(shape_of({0, 0, 9, 9, 9, 18, 18, 18, 27, 27, 27, 36, 36, 36, 45}) == GrowthShape::kLeak);
}

TEST_CASE("what is filled once, comes and goes, or is steady is none") {
  CHECK(shape_of({50, 50, 50, 50, 50, 50, 50, 50, 50, 50}) == GrowthShape::kStartup);
  CHECK(shape_of({10, 20, 30, 40, 50, 50, 50, 50, 50, 50}) == GrowthShape::kCache);
  CHECK(shape_of({30, 50, 65, 75, 82, 87, 91, 94, 96, 97}) == GrowthShape::kCache);
  CHECK(shape_of({10, 90, 20, 95, 30, 99, 40, 100, 50, 101}) == GrowthShape::kWave);
  CHECK(shape_of({90, 80, 70, 60, 50, 40, 30, 20, 10, 5}) == GrowthShape::kWave);
  CHECK(shape_of({0, 0, 0, 0, 0, 0, 0, 0, 0, 70}) == GrowthShape::kCache);  // one step is no trend
  CHECK(shape_of({0, 0, 0, 0, 0, 0, 0, 70, 70, 70}) == GrowthShape::kCache);
}

TEST_CASE("of samples, a rise that may be chance is none") {
  // One sample stands for about 100 bytes: ten of them in all, then a hundred times as many.
  CHECK(shape_of({100, 200, 300, 400, 500, 600, 700, 800, 900, 1000}, 100) != GrowthShape::kLeak);
  CHECK(shape_of({10'000, 20'000, 30'000, 40'000, 50'000, 60'000, 70'000, 80'000, 90'000, 100'000},
                 100) == GrowthShape::kLeak);
}

TEST_CASE("threads that share a stack grow together, what gained most comes first") {
  sample::Sample sample;
  sample.add("main a", 60, 1, 1)
      .add("main a", 40, 1, 2)
      .add("main bc", 500, 1)
      .add("main def", 9, 1);
  reader::Analysis analysis;
  analysis.sites = sample.sites;
  analysis.growth =
      reader::Growth{{1, 2, 3, 4, 5, 6},
                     {points_of({10, 20, 40, 40, 50, 60}), points_of({0, 0, 10, 20, 30, 40}),
                      points_of({50, 100, 200, 300, 400, 500}), points_of({9, 9, 9, 9, 9, 9})},
                     0,
                     {}};
  FrameTree tree;
  const Growing growing = growing_of(sample, analysis, tree);
  REQUIRE(growing.stacks.size() == 2);
  CHECK(sample::calls_of(tree, growing.stacks[0].node) == "main bc");
  CHECK(sample::calls_of(tree, growing.stacks[1].node) == "main a");
  CHECK(growing.stacks[1].gained_bytes() == 90);
  CHECK(growing.stacks[1].points[2].bytes == 50);
  CHECK(growing.stacks[1].thread_index == 1);
  REQUIRE(growing.places.size() == 3);
  CHECK(growing.places[2].shape == GrowthShape::kStartup);
  CHECK(growing.leaking_bytes() == 600);
}

TEST_CASE("a line that many callers reach is judged by the sum") {
  sample::Sample sample;
  const char* const callers[] = {"a record", "ab record", "abc record", "abcd record",
                                 "abcde record"};
  reader::Analysis analysis;
  analysis.growth = reader::Growth{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {}, 0, {}};
  // Each is reached twice, at moments of its own.
  for (size_t i = 0; i < 5; ++i) {
    sample.add(callers[i], 20, 2);
    std::vector<GrowthPoint> points;
    for (size_t mark = 0; mark < 10; ++mark)
      points.push_back({(mark >= i ? 10u : 0u) + (mark >= i + 5 ? 10u : 0u), 1, 0, 0});
    analysis.growth->sites.push_back(points);
  }
  analysis.sites = sample.sites;
  FrameTree tree;
  const Growing growing = growing_of(sample, analysis, tree);
  REQUIRE(growing.places.size() == 1);
  const GrowingPlace& place = growing.places[0];
  CHECK(place.frame->function == "record");
  CHECK(place.shape == GrowthShape::kLeak);
  CHECK(place.stacks == 5);
  CHECK(place.gained_bytes == 100);
  CHECK(place.bytes_per_second == doctest::Approx(10));
  CHECK(place.since_seconds == doctest::Approx(0));
}

TEST_CASE("of what a program frees at its end, what no longer rose before is no leak") {
  sample::Sample sample;
  sample.add("main on", 100, 1).add("main full", 100, 1).add("main lost", 100, 1);
  reader::Analysis analysis;
  analysis.sites = sample.sites;
  const auto rising = points_of({10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120});
  const auto levelled = points_of({0, 0, 0, 0, 10, 30, 50, 65, 95, 96, 97, 98});
  analysis.growth = reader::Growth{
      {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {rising, levelled, rising}, 200, {0, 0, 120}};
  FrameTree tree;
  const Growing growing = growing_of(sample, analysis, tree);
  REQUIRE(growing.places.size() == 3);
  const auto place_of = [&](std::string_view function) -> const GrowingPlace& {
    for (const GrowingPlace& place : growing.places)
      if (place.frame->function == function) return place;
    FAIL("no such place");
    return growing.places[0];
  };
  CHECK(place_of("on").shape == GrowthShape::kLeak);
  CHECK(place_of("on").freed_at_exit);
  CHECK(place_of("full").shape == GrowthShape::kCache);
  CHECK(place_of("lost").shape == GrowthShape::kLeak);
  CHECK(!place_of("lost").freed_at_exit);
}
