// The reader's one pass against the oracle, over histories made at random and written in every way
// the format allows; and single behaviours by hand.

#include "reader/analysis/analysis.h"

#include <doctest/doctest.h>

#include "reader/file/error.h"
#include "tests/support/history.h"
#include "tests/support/history_oracle.h"
#include "tests/support/random_history.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using memlens::reader::Analysis;
using memlens::reader::Capture;
using memlens::reader::Query;
using memlens::testing::Action;
using memlens::testing::HistoryEvent;
using memlens::testing::RandomHistoryOptions;
using memlens::testing::TemporaryFile;
using memlens::testing::WritingOptions;

namespace {

Analysis analyze_history(const std::vector<HistoryEvent>& history, const WritingOptions& writing,
                         const Query& query) {
  const TemporaryFile file(testing::write_history(history, writing));
  return reader::analyze(Capture::open(file.path()), query);
}

bool equal(const reader::Tally& a, const reader::Tally& b) {
  return a.bytes == b.bytes && a.blocks == b.blocks;
}

void check_sums(const Analysis& analysis) {
  reader::Tally peak, leaked, temporary, allocated;
  for (const reader::Site& site : analysis.sites) {
    for (const auto& [sum, part] :
         {std::pair(&peak, &site.peak), std::pair(&leaked, &site.leaked),
          std::pair(&temporary, &site.temporary), std::pair(&allocated, &site.allocated)}) {
      sum->bytes += part->bytes;
      sum->blocks += part->blocks;
    }
  }
  const reader::Totals& totals = analysis.totals;
  CHECK(equal(peak, {totals.peak_bytes, totals.peak_blocks}));
  CHECK(equal(leaked, {totals.leaked_bytes, totals.leaked_blocks}));
  CHECK(equal(temporary, {totals.temporary_bytes, totals.temporary_blocks}));
  CHECK(equal(allocated, {totals.allocated_bytes, totals.allocations}));
  CHECK(totals.allocations - totals.frees == totals.leaked_blocks);
  uint64_t peak_bytes = 0, leaked_bytes = 0, allocated_bytes = 0, allocations = 0;
  for (const reader::AllocatorTotals& allocator : totals.by_allocator) {
    peak_bytes += allocator.peak_bytes;
    leaked_bytes += allocator.leaked_bytes;
    allocated_bytes += allocator.allocated_bytes;
    allocations += allocator.allocations;
  }
  CHECK(peak_bytes == totals.peak_bytes);
  CHECK(leaked_bytes == totals.leaked_bytes);
  CHECK(allocated_bytes == totals.allocated_bytes);
  CHECK(allocations == totals.allocations);
}

// `exact_peak`: the capture's times are fine enough for the order between processes and threads.
void compare(const std::vector<HistoryEvent>& history, const WritingOptions& writing,
             const Query& query, bool exact_peak = true) {
  const Analysis analysis = analyze_history(history, writing, query);
  const testing::OracleResult expected = testing::work_out(history, query);
  check_sums(analysis);
  CHECK(analysis.totals.allocations == expected.allocations);
  CHECK(analysis.totals.frees == expected.frees);
  CHECK(analysis.totals.unmatched_frees == expected.unmatched_frees);
  CHECK(analysis.totals.replaced_blocks == 0);
  if (exact_peak) {
    CHECK(analysis.totals.peak_bytes == expected.peak_bytes);
    if (!query.pid)
      CHECK(analysis.totals.peak_seconds == doctest::Approx(expected.peak_seconds).epsilon(1e-9));
  }
  const auto sites = testing::sites_by_name(analysis);
  if (exact_peak) CHECK(sites.size() == expected.sites.size());
  size_t wrong = 0;
  for (const auto& [name, site] : expected.sites) {
    const auto found = sites.find(name);
    if (found == sites.end()) {
      wrong += exact_peak || site.allocated.blocks > 0;
      continue;
    }
    wrong += !equal(found->second.leaked, site.leaked);
    wrong += !equal(found->second.allocated, site.allocated);
    if (exact_peak) {
      wrong += !equal(found->second.peak, site.peak);
      wrong += !equal(found->second.temporary, site.temporary);
    }
  }
  CHECK(wrong == 0);
}

// A moment between two events; not between a free and its undo, which the reader takes for one.
double moment_after(const std::vector<HistoryEvent>& history, size_t position) {
  while (history[position + 1].action == Action::kUndo) ++position;
  return testing::history_seconds(position) + 0.5e-6;
}

HistoryEvent event(Action action, uint64_t address, uint64_t size_bytes = 0, uint32_t thread = 1,
                   uint32_t process = 1) {
  return {action, process, thread, address, size_bytes, 1, format::AllocationKind::kMalloc};
}

}  // namespace

TEST_CASE("one thread: every sum equals the oracle's") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    for (const size_t events_per_chunk : {1, 7, 5000}) {
      CAPTURE(events_per_chunk);
      compare(testing::random_history({}, seed),
              {.events_per_chunk = events_per_chunk, .compress = seed % 2 == 0}, {});
    }
  }
}

TEST_CASE("threads in owner epochs: exact in any order of the file, however coarse the times") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    const auto history = testing::random_history({.threads = 5}, seed);
    compare(history, {.events_per_chunk = 30, .shuffle_seed = seed}, {});
    WritingOptions coarse{.events_per_time = 1000, .events_per_chunk = 1000, .shuffle_seed = seed};
    const Analysis analysis = analyze_history(history, coarse, {});
    const auto expected = testing::work_out(history, {});
    CHECK(analysis.totals.peak_bytes == expected.peak_bytes);
    CHECK(analysis.totals.peak_is_exact);
    CHECK(analysis.totals.unmatched_frees == expected.unmatched_frees);
    check_sums(analysis);
  }
}

TEST_CASE("threads in shared epochs with fine times: every sum equals the oracle's") {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    for (const size_t events_per_epoch : {20, 150, 100'000}) {
      CAPTURE(events_per_epoch);
      const WritingOptions writing{.shared_epochs = true,
                                   .events_per_epoch = events_per_epoch,
                                   .events_per_chunk = 1 + seed * 13 % 90,
                                   .compress = true,
                                   .shuffle_seed = seed};
      compare(
          testing::random_history(
              {.threads = 4, .mappings = false, .unmatched_frees = false, .thread_run = 3}, seed),
          writing, {});
      // A free of what was never recorded may be placed a little late, and with it what was meant
      // to follow: the moment of the peak can move, but nothing gets lost.
      compare(testing::random_history({.threads = 4, .thread_run = 3}, seed), writing, {},
              /*exact_peak=*/false);
    }
  }
}

TEST_CASE("threads in shared epochs with coarse times: no unmatched free, no block too many") {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    CAPTURE(seed);
    const auto history =
        testing::random_history({.events = 2000, .threads = 6, .thread_run = 2}, seed);
    for (const size_t events_per_time : {5, 50, 100'000}) {
      CAPTURE(events_per_time);
      compare(history,
              {.shared_epochs = true,
               .events_per_epoch = 700,
               .events_per_time = events_per_time,
               .events_per_chunk = 64,
               .shuffle_seed = seed},
              {}, /*exact_peak=*/false);
    }
  }
}

TEST_CASE("pools: by their own addresses, whoever resets them, in any order of threads") {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    const bool one_thread = seed % 3 == 0;
    const auto history = testing::random_history({.events = 2000,
                                                  .threads = one_thread ? 1u : 5u,
                                                  .mappings = one_thread,
                                                  .unmatched_frees = false,
                                                  .shutdown = one_thread && seed % 2 == 0,
                                                  .pools = true,
                                                  .thread_run = 2},
                                                 seed);
    compare(history, {.events_per_chunk = 40, .shuffle_seed = seed}, {});
    for (const size_t events_per_epoch : {20, 100'000}) {
      CAPTURE(events_per_epoch);
      // However coarse the times: the stamps put what is said of a pool in one order.
      for (const size_t events_per_time : {1, 50}) {
        CAPTURE(events_per_time);
        compare(history,
                {.shared_epochs = true,
                 .events_per_epoch = events_per_epoch,
                 .events_per_time = events_per_time,
                 .events_per_chunk = 1 + seed * 13 % 90,
                 .shuffle_seed = seed},
                {}, /*exact_peak=*/events_per_time == 1);
      }
    }
    compare(history, {.shared_epochs = true, .events_per_chunk = 50},
            {.from_seconds = moment_after(history, history.size() / 4),
             .to_seconds = moment_after(history, history.size() * 3 / 4)});
  }
}

TEST_CASE("a tree of processes: each its own addresses, the peak that of all together") {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    for (const bool process_ends : {false, true}) {
      const auto history = testing::random_history(
          {.processes = 4, .threads = 2, .process_ends = process_ends}, seed);
      compare(history, {.events_per_chunk = 40, .shuffle_seed = seed}, {});
      compare(history, {.shared_epochs = true, .events_per_chunk = 40}, {}, /*exact_peak=*/false);
    }
  }
}

TEST_CASE("ranges, processes, threads and thresholds are filtered like the oracle does") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    const auto history = testing::random_history({.processes = 3,
                                                  .threads = 3,
                                                  .mappings = seed % 2 != 0,
                                                  .unmatched_frees = seed % 2 != 0,
                                                  .process_ends = true},
                                                 seed);
    const WritingOptions writing{.shared_epochs = seed % 2 == 0, .events_per_chunk = 50};
    const double quarter = moment_after(history, history.size() / 4);
    const double half = moment_after(history, history.size() / 2);
    std::vector<Query> queries(8);
    queries[0].from_seconds = quarter;
    queries[1].to_seconds = half;
    queries[2].from_seconds = quarter;
    queries[2].to_seconds = half;
    queries[3].pid = 1002;
    queries[4].tid = 302;
    queries[5].tid = 101;
    queries[5].to_seconds = half;
    queries[6].temporary_threshold = 10;
    queries[7].pid = 1003;
    queries[7].from_seconds = quarter;
    for (size_t i = 0; i < queries.size(); ++i) {
      CAPTURE(i);
      compare(history, writing, queries[i]);
    }
  }
}

TEST_CASE("blocks the interpreter frees in its shutdown are still allocated") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    const auto history =
        testing::random_history({.processes = 2, .threads = 2, .shutdown = true}, seed);
    compare(history, {.events_per_chunk = 50}, {});
    compare(history, {.events_per_chunk = 50}, {.until_exit = true});
  }
}

TEST_CASE("what shutdown frees makes room: the peak stays where it was") {
  const std::vector<HistoryEvent> history = {
      event(Action::kAllocate, 0x1000, 100), event(Action::kAllocate, 0x2000, 50),
      event(Action::kShutdown, 0, 1),        event(Action::kFree, 0x1000),
      event(Action::kAllocate, 0x1000, 90),  event(Action::kFree, 0x1000)};
  const Analysis analysis = analyze_history(history, {}, {});
  CHECK(analysis.totals.peak_bytes == 150);
  CHECK(analysis.totals.leaked_bytes == 150);
  CHECK(analysis.totals.leaked_blocks == 2);
  CHECK(analysis.totals.allocations == 3);
  CHECK(analysis.totals.frees == 1);
  const Analysis until_exit = analyze_history(history, {}, {.until_exit = true});
  CHECK(until_exit.totals.leaked_bytes == 50);
  CHECK(until_exit.totals.frees == 2);
}

TEST_CASE("what a shutdown freed is freed once the interpreter is started again") {
  const std::vector<HistoryEvent> history = {
      event(Action::kAllocate, 0x1000, 100), event(Action::kAllocate, 0x2000, 50),
      event(Action::kMap, 0x10000, 4096),    event(Action::kShutdown, 0, 1),
      event(Action::kFree, 0x1000),          event(Action::kUnmap, 0x10000, 4096),
      event(Action::kShutdown, 0, 0),        event(Action::kAllocate, 0x3000, 30),
      event(Action::kShutdown, 0, 1),        event(Action::kFree, 0x3000)};
  const Analysis analysis = analyze_history(history, {}, {});
  CHECK(analysis.totals.leaked_bytes == 80);  // 0x2000, and 0x3000 at the last shutdown
  CHECK(analysis.totals.leaked_blocks == 2);
  CHECK(analysis.totals.frees == 2);
}

TEST_CASE("a block is temporary when freed before so many further allocations of its thread") {
  // 0x1000 is freed at once, 0x2000 after one more allocation of thread 1 and any number of
  // thread 2.
  const std::vector<HistoryEvent> history = {
      event(Action::kAllocate, 0x1000, 10),   event(Action::kFree, 0x1000),
      event(Action::kAllocate, 0x2000, 20),   event(Action::kAllocate, 0x3000, 1, 2),
      event(Action::kAllocate, 0x4000, 1, 2), event(Action::kAllocate, 0x5000, 1),
      event(Action::kFree, 0x2000, 0, 2)};
  const auto temporary = [&](uint32_t threshold) {
    return analyze_history(history, {}, {.temporary_threshold = threshold}).totals.temporary_bytes;
  };
  CHECK(temporary(1) == 10);
  CHECK(temporary(2) == 30);
}

TEST_CASE("a failed realloc leaves the block alive") {
  const std::vector<HistoryEvent> history = {event(Action::kAllocate, 0x1000, 64),
                                             event(Action::kFree, 0x1000), event(Action::kUndo, 0)};
  const Analysis analysis = analyze_history(history, {}, {});
  CHECK(analysis.totals.leaked_bytes == 64);
  CHECK(analysis.totals.allocations == 1);
  CHECK(analysis.totals.frees == 0);
  CHECK(analysis.totals.temporary_blocks == 0);
}

TEST_CASE("a mapping shrinks with each part and is freed with its last byte") {
  std::vector<HistoryEvent> history = {event(Action::kMap, 0x10000, 0x4000),
                                       event(Action::kUnmap, 0x11000, 0x1000)};
  Analysis analysis = analyze_history(history, {}, {});
  CHECK(analysis.totals.leaked_bytes == 0x3000);
  CHECK(analysis.totals.leaked_blocks == 1);
  CHECK(analysis.totals.frees == 0);
  history.push_back(event(Action::kUnmap, 0x10000, 0x4000));
  analysis = analyze_history(history, {}, {});
  CHECK(analysis.totals.leaked_bytes == 0);
  CHECK(analysis.totals.leaked_blocks == 0);
  CHECK(analysis.totals.frees == 1);
  CHECK(analysis.totals.temporary_bytes == 0x4000);
}

TEST_CASE("an address given out twice frees the first block, visibly") {
  const std::vector<HistoryEvent> history = {event(Action::kAllocate, 0x1000, 10),
                                             event(Action::kAllocate, 0x1000, 20)};
  const Analysis analysis = analyze_history(history, {}, {});
  CHECK(analysis.totals.replaced_blocks == 1);
  CHECK(analysis.totals.leaked_bytes == 20);
  CHECK(analysis.totals.allocations == 2);
  CHECK(analysis.totals.frees == 1);
}

TEST_CASE("the timeline has the asked points, with the peak as its highest") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const auto history = testing::random_history({.threads = 2, .undos = false}, seed);
    const auto expected = testing::work_out(history, {});
    const Analysis analysis = analyze_history(history, {}, {.timeline_points = 64});
    REQUIRE(analysis.timeline.size() == 64);
    uint64_t high_bytes = 0;
    size_t position = 0;
    for (const reader::TimelinePoint& point : analysis.timeline) {
      high_bytes = std::max(high_bytes, point.high_bytes);
      while (position < history.size() &&
             testing::history_seconds(position) < point.seconds - 1e-10)
        ++position;
      if (position < history.size())
        CHECK(point.bytes == (position == 0 ? 0 : expected.live_bytes[position - 1]));
    }
    CHECK(high_bytes == expected.peak_bytes);
    CHECK(analysis.timeline.back().bytes == expected.live_bytes.back());
    CHECK(analysis.timeline.back().seconds ==
          doctest::Approx(testing::history_seconds(history.size())));
  }
}

TEST_CASE("a capture without events sums up to nothing") {
  const Analysis analysis = analyze_history({}, {}, {});
  CHECK(analysis.totals.events == 0);
  CHECK(analysis.totals.peak_bytes == 0);
  CHECK(analysis.sites.empty());
}
