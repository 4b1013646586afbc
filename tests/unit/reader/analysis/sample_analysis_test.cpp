// Samples: what they count for, that sums over them are exact, and what is undone.

#include <doctest/doctest.h>

#include <cmath>

#include "reader/analysis/analysis.h"
#include "reader/analysis/analysis_codec.h"
#include "reader/analysis/sample_accounts.h"
#include "tests/support/capture_bytes.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using format::AllocationKind;
using memlens::testing::EventBytes;
using reader::Analysis;
using reader::Query;

namespace {

Analysis analyze_events(const EventBytes& events, const Query& query = {}) {
  testing::CaptureBytes capture;
  capture.add_session(R"({"command":["a"],"options":{"sample_bytes":1000}})");
  capture.add_clock(testing::CaptureBytes::kStartTicks + 1'000'000'000);
  testing::MetadataBytes metadata;
  metadata.add_process(7, 1, 0, format::ProcessOrigin::kStart, testing::CaptureBytes::kStartTicks,
                       "/a", {"a"});
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = 1}, metadata.take());
  capture.add_frame({.kind = format::FrameKind::kSampledEvents,
                     .process = 1,
                     .thread = 1,
                     .ticks = testing::CaptureBytes::kStartTicks},
                    events.payload());
  capture.add_trailer(testing::CaptureBytes::kStartTicks + 1'000'000'000);
  const testing::TemporaryFile file(capture.bytes());
  return reader::analyze(reader::Capture::open(file.path()), query);
}

// By the formula, for one block.
double weight(double size, double interval) { return 1 / (1 - std::exp(-size / interval)); }

}  // namespace

TEST_CASE("samples of one site count for their weight to within one block, whatever the sizes") {
  reader::SampleAccounts accounts;
  double bytes = 0, blocks = 0;
  uint64_t counted_bytes = 0, counted_blocks = 0;
  for (uint64_t size = 1; size < 5000; size += 7) {
    const reader::Sample sample = accounts.weigh(3, 1000, size);
    const double w = weight(static_cast<double>(size), 1000);
    bytes += w * static_cast<double>(size);
    blocks += w;
    counted_bytes += sample.bytes;
    counted_blocks += sample.blocks;
    CHECK(static_cast<double>(sample.variance.blocks) == doctest::Approx(w * (w - 1)).epsilon(0.6));
    CHECK(std::abs(bytes - static_cast<double>(counted_bytes)) < 1.001);
    CHECK(std::abs(blocks - static_cast<double>(counted_blocks)) < 1.001);
  }
  CHECK(accounts.longest_interval_bytes() == 1000);
}

TEST_CASE("a block that every interval would have hit counts once and is certain") {
  reader::SampleAccounts accounts;
  const reader::Sample sample = accounts.weigh(0, 1000, 1'000'000);
  CHECK(sample.bytes == 1'000'000);
  CHECK(sample.blocks == 1);
  CHECK(sample.variance.bytes == 0);
}

TEST_CASE("what is freed takes back what it had added, and all views agree") {
  EventBytes events;
  events.interval(1000);
  for (uint64_t i = 1; i <= 100; ++i) events.allocate(AllocationKind::kMalloc, i * 1024, 10 * i, 1);
  for (uint64_t i = 1; i <= 100; ++i) events.free(i * 1024);
  const Analysis analysis = analyze_events(events);
  const reader::Totals& totals = analysis.totals;
  CHECK(totals.sample_bytes == 1000);
  CHECK(totals.allocations > 150);
  CHECK(totals.allocations == totals.frees);
  CHECK(totals.leaked_bytes == 0);
  CHECK(totals.leaked_variance.bytes == 0);
  CHECK(totals.peak_bytes == totals.allocated_bytes);
  CHECK(totals.peak_variance.bytes == totals.allocated_variance.bytes);
  REQUIRE(analysis.sites.size() == 1);
  CHECK(analysis.sites[0].allocated.bytes == totals.allocated_bytes);
  CHECK(analysis.sites[0].peak.blocks == totals.peak_blocks);
}

TEST_CASE("a free that is undone leaves the sample as it was") {
  EventBytes events;
  events.interval(1000);
  events.allocate(AllocationKind::kMalloc, 0x1000, 100, 1);
  events.free(0x1000);
  events.undo();
  const reader::Totals totals = analyze_events(events).totals;
  CHECK(totals.leaked_bytes == totals.allocated_bytes);
  CHECK(totals.leaked_blocks == totals.allocations);
  CHECK(totals.leaked_variance.bytes == totals.allocated_variance.bytes);
  CHECK(totals.temporary_blocks == 0);
  CHECK(totals.temporary_variance.bytes == 0);
}

TEST_CASE("a sample is temporary unless its thread is known to have allocated since") {
  EventBytes events;
  events.interval(1000);
  events.allocate(AllocationKind::kMalloc, 0x1000, 100, 1);
  events.free(0x1000);
  events.allocate(AllocationKind::kMalloc, 0x1000, 100, 2);
  events.outlived();
  events.free(0x1000);
  const Analysis analysis = analyze_events(events);
  REQUIRE(analysis.sites.size() == 2);
  for (const reader::Site& site : analysis.sites) {
    CHECK(site.temporary.bytes == (site.node == 1 ? site.allocated.bytes : 0));
  }
}

TEST_CASE(
    "mappings among samples count as themselves, and a longer interval from where it is told") {
  EventBytes events;
  events.interval(1000);
  events.map(AllocationKind::kMmap, 0x10000, 4096, 1);
  events.allocate(AllocationKind::kMalloc, 0x1000, 100, 2);
  events.interval(8000);
  events.allocate(AllocationKind::kMalloc, 0x2000, 100, 3);
  const Analysis analysis = analyze_events(events);
  for (const reader::Site& site : analysis.sites) {
    const double expected = site.node == 1   ? 4096
                            : site.node == 2 ? 100 * weight(100, 1000)
                                             : 100 * weight(100, 8000);
    CHECK(std::abs(static_cast<double>(site.leaked.bytes) - expected) < 1.001);
  }
  CHECK(analysis.totals.sample_bytes == 8000);
}

TEST_CASE("a stored analysis has its variances") {
  EventBytes events;
  events.interval(1000);
  for (uint64_t i = 1; i <= 100; ++i) events.allocate(AllocationKind::kMalloc, i * 1024, 10 * i, 1);
  for (uint64_t i = 1; i <= 50; ++i) events.free(i * 1024);
  const Analysis analysis = analyze_events(events);
  Analysis stored;
  const std::string bytes = reader::encode_sums(analysis);
  reader::decode_sums(reader::ByteView(bytes), stored);
  CHECK(stored.totals == analysis.totals);
  CHECK(stored.totals.leaked_variance.bytes > 0);
  REQUIRE(stored.sites.size() == 1);
  CHECK(stored.sites[0].leaked == analysis.sites[0].leaked);
  CHECK(stored.sites[0].peak == analysis.sites[0].peak);
}
