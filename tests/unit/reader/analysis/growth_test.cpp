// Where the marks of growth are, and what they hold.

#include "reader/analysis/growth.h"

#include <doctest/doctest.h>

#include <csignal>

#include "reader/analysis/analysis.h"
#include "tests/support/capture_bytes.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using format::AllocationKind;
using memlens::testing::EventBytes;
using reader::Analysis;
using reader::Query;

namespace {

constexpr uint64_t kStart = testing::CaptureBytes::kStartTicks;
constexpr uint64_t kSecond = 1'000'000'000;

enum class End { kUnknown, kExit, kKilled };

// Of a program that ran for a second.
Analysis analyze_events(const EventBytes& events, End end, Query query = {}) {
  testing::CaptureBytes capture;
  capture.add_session(R"({"command":["a"]})");
  capture.add_clock(kStart + kSecond);
  testing::MetadataBytes metadata;
  metadata.add_process(7, 1, 0, format::ProcessOrigin::kStart, kStart, "/a", {"a"});
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = 1}, metadata.take());
  capture.add_frame(
      {.kind = format::FrameKind::kEvents, .process = 1, .thread = 1, .ticks = kStart},
      events.payload());
  if (end != End::kUnknown)
    capture.add_process_end(1, 7, kStart + kSecond, 0, end == End::kKilled ? SIGTERM : 0);
  capture.add_trailer(kStart + kSecond);
  const testing::TemporaryFile file(capture.bytes());
  query.growth_marks = 10;
  return reader::analyze(reader::Capture::open(file.path()), query);
}

// A block of 100 bytes every hundredth of a second until `last`, and then all freed.
EventBytes collected_and_freed(uint64_t last, uint64_t freed) {
  EventBytes events;
  for (uint64_t i = 1; i <= last; ++i) {
    events.time(kSecond / 100);
    events.allocate(AllocationKind::kMalloc, i * 1024, 100, 1);
  }
  for (uint64_t i = 1; i <= freed; ++i) events.free(i * 1024);
  return events;
}

}  // namespace

TEST_CASE("marks hold what was still allocated at even moments, the last of them the end's") {
  EventBytes events;
  for (uint64_t i = 1; i <= 10; ++i) {
    events.time(100'000'000);
    events.allocate(AllocationKind::kMalloc, i * 1024, 100, 1);
    if (i > 1) events.allocate(AllocationKind::kMalloc, i * 1024 + 512, 7, 2);
    if (i > 1) events.free(i * 1024 + 512);
  }
  const Analysis analysis = analyze_events(events, End::kUnknown);
  REQUIRE(analysis.growth);
  REQUIRE(analysis.growth->seconds.size() == 10);
  CHECK(analysis.growth->seconds[4] == doctest::Approx(0.5).epsilon(0.01));
  REQUIRE(analysis.sites.size() == 2);
  for (size_t i = 0; i < 2; ++i) {
    const auto& points = analysis.growth->sites[i];
    const bool kept = analysis.sites[i].node == 1;
    CHECK(points.size() == (kept ? 10 : 0));  // no room for what has nothing at any mark
    if (!kept) continue;
    for (size_t mark = 1; mark < 10; ++mark) CHECK(points[mark].bytes >= points[mark - 1].bytes);
    CHECK(points.back().bytes == analysis.sites[i].leaked.bytes);
    CHECK(points.back().blocks == analysis.sites[i].leaked.blocks);
  }
}

TEST_CASE("marks end before a program that ends puts away what it had") {
  const EventBytes events = collected_and_freed(98, 98);
  const Analysis analysis = analyze_events(events, End::kExit);
  REQUIRE(analysis.growth->seconds.size() == 9);
  CHECK(analysis.growth->seconds.back() == doctest::Approx(0.9).epsilon(0.01));
  CHECK(analysis.growth->freed_at_exit_bytes > 8'000);
  REQUIRE(analysis.growth->sites.size() == 1);
  CHECK(analysis.growth->sites[0].size() == 9);
  CHECK(analysis.growth->sites[0].back().bytes > 8'000);
}

TEST_CASE("what ended with its process shortly before the last one's end was freed by nobody") {
  testing::CaptureBytes capture;
  capture.add_session(R"({"command":["a"]})");
  capture.add_clock(kStart + kSecond);
  EventBytes nothing;
  nothing.time(kSecond - 1);
  for (const uint32_t process : {1, 2}) {
    testing::MetadataBytes metadata;
    metadata.add_process(7 + process, 1, 0, format::ProcessOrigin::kStart, kStart, "/a", {"a"});
    capture.add_frame({.kind = format::FrameKind::kMetadata, .process = process}, metadata.take());
    capture.add_frame(
        {.kind = format::FrameKind::kEvents, .process = process, .thread = 1, .ticks = kStart},
        process == 1 ? nothing.payload() : collected_and_freed(96, 10).payload());
  }
  capture.add_process_end(2, 9, kStart + kSecond / 100 * 97, 0);
  capture.add_process_end(1, 8, kStart + kSecond, 0);
  capture.add_trailer(kStart + kSecond);
  const testing::TemporaryFile file(capture.bytes());
  Query query;
  query.growth_marks = 10;
  const Analysis analysis = reader::analyze(reader::Capture::open(file.path()), query);
  REQUIRE(analysis.growth->seconds.size() == 9);
  REQUIRE(analysis.sites.size() == 1);
  CHECK(analysis.growth->sites[0].back().bytes > 8'000);
  CHECK(analysis.growth->left_bytes == std::vector<uint64_t>{8'600});
  CHECK(analysis.growth->freed_at_exit_bytes == analysis.growth->sites[0].back().bytes - 8'600);
}

TEST_CASE("what is freed in the middle, in part or before a cut is no end") {
  Query cut;
  cut.to_seconds = 0.985;
  const auto marks = [](const EventBytes& events, End end, const Query& query = {}) {
    const Analysis analysis = analyze_events(events, end, query);
    CHECK(analysis.growth->freed_at_exit_bytes == 0);
    return analysis.growth->seconds.size();
  };
  CHECK(marks(collected_and_freed(98, 98), End::kUnknown) == 10);  // it may still run
  CHECK(marks(collected_and_freed(98, 98), End::kExit, cut) == 10);
  CHECK(marks(collected_and_freed(98, 40), End::kExit) == 10);
  CHECK(marks(collected_and_freed(50, 50), End::kExit) == 10);
}

TEST_CASE("a program that is killed has put nothing away, whatever it freed shortly before") {
  EventBytes events = collected_and_freed(98, 60);
  const Analysis killed = analyze_events(events, End::kKilled);
  CHECK(killed.growth->seconds.size() == 10);
  CHECK(killed.growth->freed_at_exit_bytes == 0);
  CHECK(analyze_events(events, End::kExit).growth->seconds.size() == 9);
  // Python dies by SIGINT when all is put away.
  events.shutdown(true);
  CHECK(analyze_events(events, End::kKilled).growth->seconds.size() == 9);
}
