#include "reader/analysis/untouched.h"

#include <doctest/doctest.h>

#include "reader/analysis/analysis.h"
#include "tests/support/capture_bytes.h"
#include "tests/support/sample_captures.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using reader::Mapping;
using reader::Mappings;

namespace {

constexpr uint64_t kMegabyte = 1 << 20;

void add(Mappings& mappings, uint32_t number, uint64_t address, uint64_t bytes) {
  auto mapping = std::make_shared<Mapping>();
  mapping->number = number;
  mappings.add(address * kMegabyte, bytes * kMegabyte, mapping);
}

}  // namespace

TEST_CASE("what is untouched of a range is its mappings', in proportion") {
  Mappings mappings;
  add(mappings, 1, 100, 30);
  add(mappings, 2, 130, 10);
  const auto found = reader::find_untouched(mappings, {{100 * kMegabyte, 40 * kMegabyte, 0}});
  REQUIRE(found.size() == 2);
  CHECK(found.at(1) == 30 * kMegabyte);
  CHECK(found.at(2) == 10 * kMegabyte);
}

TEST_CASE("what may be untouched of somebody else's memory is not taken off") {
  Mappings mappings;
  add(mappings, 1, 100, 30);
  // 50 of 100 are untouched, and 70 are no recorded mapping.
  CHECK(reader::find_untouched(mappings, {{100 * kMegabyte, 100 * kMegabyte, 50 * kMegabyte}})
            .empty());
  const auto found =
      reader::find_untouched(mappings, {{100 * kMegabyte, 100 * kMegabyte, 20 * kMegabyte}});
  CHECK(found.at(1) == 10 * kMegabyte);
  CHECK(reader::find_untouched(mappings, {{500 * kMegabyte, 100 * kMegabyte, 0}}).empty());
}

TEST_CASE("a mapping that lives to the end counts with what is touched, others as asked for") {
  const testing::TemporaryFile file(testing::sample_captures()["untouched_mapping"]);
  const reader::Capture capture = reader::Capture::open(file.path());
  const reader::Analysis analysis = reader::analyze(capture, {.range_buckets = 8});
  const reader::Totals& totals = analysis.totals;
  CHECK(totals.allocated_bytes == (500 + 10 + 3) * kMegabyte);
  CHECK(totals.peak_bytes == 500 * kMegabyte);
  CHECK(totals.leaked_bytes == 13 * kMegabyte);
  CHECK(totals.untouched_at_peak_bytes == 0);
  REQUIRE(analysis.untouched.size() == 1);
  CHECK(analysis.untouched[0].bytes == 990 * kMegabyte);
  CHECK(capture.info().processes[0].high_water_bytes == 20 * kMegabyte);
  // Later on it is what made the peak.
  const reader::Analysis late = reader::analyze(capture, {.from_seconds = 1.5e-6});
  CHECK(late.totals.peak_bytes == 13 * kMegabyte);
  CHECK(late.totals.untouched_at_peak_bytes == 990 * kMegabyte);
}

TEST_CASE("what is unmapped after it was looked at, as libraries do at the end, was untouched") {
  constexpr uint64_t kStart = testing::CaptureBytes::kStartTicks;
  constexpr uint64_t kAddress = 0x7f0000000000;
  using format::AllocationKind;
  testing::CaptureBytes capture;
  testing::MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/opt/app", {"app"});
  metadata.add_thread(1, 41, kStart, "main");
  const uint32_t node = metadata.add_label_node(0, "[reserve]");
  metadata.add_resident_memory(kStart + 5000, 12 * kMegabyte, 20 * kMegabyte,
                               {{kAddress, 1000 * kMegabyte, 10 * kMegabyte}});
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = 1}, metadata.take());
  testing::EventBytes events;
  events.map(AllocationKind::kMmap, kAddress, 500 * kMegabyte, node);
  events.map(AllocationKind::kMmap, kAddress + 500 * kMegabyte, 500 * kMegabyte, node);
  events.time(1000);
  events.allocate(AllocationKind::kMalloc, 0x1000, 3 * kMegabyte, node);
  events.time(6000);
  events.unmap(kAddress, 300 * kMegabyte);
  events.unmap(kAddress + 300 * kMegabyte, 700 * kMegabyte);
  events.undo();
  events.unmap(kAddress + 300 * kMegabyte, 700 * kMegabyte);
  events.time(1000);
  events.allocate(AllocationKind::kMalloc, 0x2000, 30 * kMegabyte, node);
  capture.add_frame(
      {.kind = format::FrameKind::kEvents, .process = 1, .thread = 1, .ticks = kStart},
      events.payload());
  capture.add_trailer(kStart + 9000);
  const testing::TemporaryFile file(capture.bytes());
  const reader::Capture opened = reader::Capture::open(file.path());
  const reader::Totals all = reader::analyze(opened, {.range_buckets = 8}).totals;
  CHECK(all.allocated_bytes == (10 + 3 + 30) * kMegabyte);
  CHECK(all.peak_bytes == 33 * kMegabyte);
  CHECK(all.leaked_bytes == 33 * kMegabyte);
  CHECK(all.untouched_at_peak_bytes == 0);
  CHECK(all.frees == 2);
  const reader::Totals before = reader::analyze(opened, {.to_seconds = 2e-6}).totals;
  CHECK(before.peak_bytes == 13 * kMegabyte);
  CHECK(before.untouched_at_peak_bytes == 990 * kMegabyte);
}
