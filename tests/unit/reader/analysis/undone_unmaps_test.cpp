// A program that fails to unmap a range of many mappings, again and again.

#include <doctest/doctest.h>

#include <vector>

#include "reader/analysis/analysis.h"
#include "tests/support/capture_bytes.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using format::AllocationKind;
using memlens::testing::CaptureBytes;
using memlens::testing::EventBytes;

namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kFirst = 0x10'0000'0000;

reader::Analysis analyze_chunks(const std::vector<EventBytes>& chunks) {
  CaptureBytes capture;
  capture.add_session(R"({"command":["a"]})");
  capture.add_clock(CaptureBytes::kStartTicks + 1'000'000'000);
  testing::MetadataBytes metadata;
  metadata.add_process(7, 1, 0, format::ProcessOrigin::kStart, CaptureBytes::kStartTicks, "/a",
                       {"a"});
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = 1}, metadata.take());
  uint32_t sequence = 0;
  for (const EventBytes& events : chunks) {
    capture.add_frame({.kind = format::FrameKind::kEvents,
                       .process = 1,
                       .thread = 1,
                       .sequence = sequence++,
                       .ticks = CaptureBytes::kStartTicks},
                      events.payload());
  }
  capture.add_trailer(CaptureBytes::kStartTicks + 1'000'000'000);
  const testing::TemporaryFile file(capture.bytes());
  return reader::analyze(reader::Capture::open(file.path()), {});
}

}  // namespace

// Taken apart and put together again each time they would take minutes.
TEST_CASE("as many undone unmaps as there are mappings under them are soon read") {
  constexpr uint64_t kCount = 20'000;
  constexpr uint64_t kEventsInChunk = 2000;
  std::vector<EventBytes> chunks(2 * kCount / kEventsInChunk);
  for (uint64_t i = 0; i < kCount; ++i) {
    EventBytes& maps = chunks[i / kEventsInChunk];
    maps.map(AllocationKind::kMmap, kFirst + i * kPageBytes, kPageBytes, 1);
    EventBytes& unmaps = chunks[(kCount + i) / kEventsInChunk];
    unmaps.unmap(kFirst, kCount * kPageBytes);
    unmaps.undo();
  }
  const reader::Analysis analysis = analyze_chunks(chunks);
  CHECK(analysis.totals.frees == 0);
  CHECK(analysis.totals.leaked_bytes == kCount * kPageBytes);
  CHECK(analysis.totals.peak_bytes == kCount * kPageBytes);
}

TEST_CASE("an mremap after an undone unmap moves no heap, after one that was not it does") {
  for (const bool undone : {false, true}) {
    EventBytes events;
    events.map(AllocationKind::kMmap, kFirst, kPageBytes, 1);
    events.unmap(kFirst, kPageBytes);
    if (undone) events.undo();
    events.map(AllocationKind::kMremap, kFirst + 16 * kPageBytes, 2 * kPageBytes, 1);
    CHECK(analyze_chunks({events}).totals.leaked_bytes == (undone ? kPageBytes : 2 * kPageBytes));
  }
}
