// A capture that is read while it grows, against what the history up to there
// sums up to, and in the end against a pass over the whole.
#include "reader/analysis/followed_analysis.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "interposer/format/file_layout.h"
#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"
#include "tests/support/growing_file.h"
#include "tests/support/history.h"
#include "tests/support/history_oracle.h"
#include "tests/support/random_history.h"
#include "tests/support/temporary_file.h"

namespace memlens::reader {
namespace {

using testing::HistoryEvent;
using testing::WritingOptions;

void check_sites(const std::map<testing::SiteName, testing::OracleSite>& own,
                 const std::map<testing::SiteName, testing::OracleSite>& wanted,
                 bool in_order = true) {
  REQUIRE(own.size() == wanted.size());
  for (const auto& [name, site] : wanted) {
    const auto found = own.find(name);
    REQUIRE(found != own.end());
    CHECK(found->second.leaked == site.leaked);
    CHECK(found->second.allocated == site.allocated);
    if (!in_order) continue;
    CHECK(found->second.peak == site.peak);
    CHECK(found->second.temporary == site.temporary);
  }
}

// Against what the history up to there sums up to. In shared epochs the order of blocks of
// different threads is not known, and so neither is the very peak, nor what came in between.
void check_history(const Analysis& followed, const std::vector<HistoryEvent>& history,
                   size_t events, bool in_order) {
  const std::vector<HistoryEvent> begin(history.begin(),
                                        history.begin() + static_cast<ptrdiff_t>(events));
  const testing::OracleResult wanted = testing::work_out(begin, Query{});
  CHECK(followed.totals.allocations == wanted.allocations);
  CHECK(followed.totals.frees == wanted.frees);
  if (in_order) CHECK(followed.totals.peak_bytes == wanted.peak_bytes);
  check_sites(testing::sites_by_name(followed), wanted.sites, in_order);
}

void check_equal(const Analysis& followed, const Analysis& whole) {
  const Totals& a = followed.totals;
  const Totals& b = whole.totals;
  CHECK(a.allocations == b.allocations);
  CHECK(a.frees == b.frees);
  CHECK(a.allocated_bytes == b.allocated_bytes);
  CHECK(a.peak_bytes == b.peak_bytes);
  CHECK(a.peak_blocks == b.peak_blocks);
  CHECK(a.leaked_bytes == b.leaked_bytes);
  CHECK(a.leaked_blocks == b.leaked_blocks);
  CHECK(a.temporary_blocks == b.temporary_blocks);
  CHECK(a.unmatched_frees == b.unmatched_frees);
  CHECK(a.replaced_blocks == b.replaced_blocks);
  check_sites(testing::sites_by_name(followed), testing::sites_by_name(whole));
}

// Not between a free and its undo, which are one to who looks at the time.
std::vector<size_t> random_looks(const std::vector<HistoryEvent>& history, size_t count,
                                 std::mt19937_64& random) {
  std::vector<size_t> looks;
  for (size_t i = 0; i < count; ++i) {
    size_t look = random() % history.size();
    while (look > 0 && history[look].action == testing::Action::kUndo) --look;
    looks.push_back(look);
  }
  std::ranges::sort(looks);
  return looks;
}

// As the collector may find them: chunks lie in the segment in any order.
std::string with_chunks_in_any_order(const std::string& bytes, std::mt19937_64& random) {
  std::string result = bytes.substr(0, sizeof(format::FileHeader));
  std::vector<std::string> chunks;
  const auto write_chunks = [&] {
    std::ranges::shuffle(chunks, random);
    for (const std::string& chunk : chunks) result += chunk;
    chunks.clear();
  };
  for (size_t offset = result.size(); offset < bytes.size();) {
    format::FrameHeader header;
    std::memcpy(&header, bytes.data() + offset, sizeof header);
    const std::string frame = bytes.substr(offset, sizeof header + header.stored_bytes);
    offset += frame.size();
    const auto kind = static_cast<format::FrameKind>(header.kind);
    if (kind == format::FrameKind::kEvents || kind == format::FrameKind::kUnfinishedEvents) {
      chunks.push_back(frame);
    } else {
      write_chunks();
      result += frame;
    }
  }
  write_chunks();
  return result;
}

void follow(const std::vector<HistoryEvent>& history, WritingOptions options, uint64_t seed,
            bool in_any_order = false) {
  std::mt19937_64 random(seed);
  options.looks = random_looks(history, 12, random);
  std::string bytes = testing::write_history(history, options);
  if (in_any_order) bytes = with_chunks_in_any_order(bytes, random);
  const testing::TemporaryFile finished(bytes);
  const Capture whole = Capture::open(finished.path());
  const std::vector<size_t> ends = testing::ends_of(bytes, format::FrameKind::kSoFar);
  REQUIRE(ends.size() == options.looks.size());

  testing::GrowingFile file;
  file.append(std::string_view(bytes).substr(0, ends[0]));
  FollowedAnalysis followed(file.path());
  size_t written = ends[0];
  for (size_t i = 0; i < ends.size(); ++i) {
    // Now and then somebody else looks, or a frame is torn, or not all steps are taken.
    if (ends[i] > written && random() % 2 == 0) {
      const size_t part = written + random() % (ends[i] - written);
      file.append(std::string_view(bytes).substr(written, part - written));
      written = part;
      followed.update();
    }
    file.append(std::string_view(bytes).substr(written, ends[i] - written));
    written = ends[i];
    followed.update();
    CAPTURE(seed);
    CAPTURE(options.looks[i]);
    REQUIRE(followed.capture().info().running);
    check_history(followed.so_far(), history, options.looks[i], !options.shared_epochs);
  }
  file.append(std::string_view(bytes).substr(written));
  followed.update();
  CHECK_FALSE(followed.capture().info().running);
  CHECK(followed.capture().info().complete);
  check_equal(followed.so_far(), analyze(whole, Query{}));
}

TEST_CASE("a capture of one thread that grows has at each look what happened until then") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    testing::RandomHistoryOptions options;
    options.shutdown = seed % 3 == 0;
    follow(testing::random_history(options, seed),
           {.events_per_chunk = 37, .compress = seed % 2 == 0}, seed);
  }
}

TEST_CASE("chunks that were found in another order than filled are followed as well") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    testing::RandomHistoryOptions options;
    options.shutdown = seed % 3 == 0;
    follow(testing::random_history(options, seed),
           {.events_per_chunk = 37, .compress = seed % 2 == 0}, seed, /*in_any_order=*/true);
  }
}

TEST_CASE("threads that take turns are followed event by event") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    testing::RandomHistoryOptions options;
    options.threads = 5;
    options.events = 2000;
    follow(testing::random_history(options, seed), {.events_per_chunk = 50}, seed);
    follow(testing::random_history(options, seed), {.events_per_time = 7, .events_per_chunk = 300},
           seed);
  }
}

TEST_CASE("threads in shared epochs are followed event by event") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    testing::RandomHistoryOptions options;
    options.threads = 4;
    options.events = 2000;
    options.thread_run = 2;
    follow(testing::random_history(options, seed),
           {.shared_epochs = true, .events_per_epoch = 200, .events_per_chunk = 60}, seed);
  }
}

TEST_CASE("processes that come and end are followed event by event") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    testing::RandomHistoryOptions options;
    options.processes = 3;
    options.threads = 2;
    options.events = 2000;
    follow(testing::random_history(options, seed), {.events_per_chunk = 40}, seed);
  }
}

TEST_CASE("a time cuts the events of several processes where it says") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    testing::RandomHistoryOptions options;
    options.processes = 3;
    options.threads = 2;
    options.events = 2000;
    options.process_ends = seed % 2 == 0;
    const auto history = testing::random_history(options, seed);
    for (const bool with_looks : {false, true}) {
      std::mt19937_64 random(seed);
      WritingOptions writing{.events_per_chunk = 40};
      if (with_looks) writing.looks = random_looks(history, 12, random);
      const testing::TemporaryFile file(
          with_chunks_in_any_order(testing::write_history(history, writing), random));
      const Capture capture = Capture::open(file.path());
      for (const size_t cut : random_looks(history, 12, random)) {
        CAPTURE(seed);
        CAPTURE(with_looks);
        CAPTURE(cut);
        Query until;
        until.to_seconds = testing::history_seconds(cut) - 0.5e-9;
        check_history(analyze(capture, until), history, cut, /*in_order=*/true);
      }
    }
  }
}

TEST_CASE("a step goes as far as it is told") {
  const auto history = testing::random_history({.events = 500}, 3);
  const testing::TemporaryFile file(testing::write_history(history, {}));
  const Capture whole = Capture::open(file.path());
  FollowedAnalysis followed(file.path());
  Query until;
  until.to_seconds = testing::history_seconds(200) - 1e-9;
  CHECK(followed.advance(*until.to_seconds));
  check_equal(followed.so_far(), analyze(whole, until));
  CHECK_FALSE(followed.advance(1e9));
  check_equal(followed.so_far(), analyze(whole, Query{}));
}

}  // namespace
}  // namespace memlens::reader
