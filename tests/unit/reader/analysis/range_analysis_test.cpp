// Ranges answered from cells against the reader's own pass over just that range, which is compared
// with the oracle elsewhere.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "reader/analysis/analysis.h"
#include "tests/support/random_history.h"
#include "tests/support/sample_captures.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using memlens::reader::Analysis;
using memlens::reader::Capture;
using memlens::reader::Query;
using memlens::reader::RangeCell;
using memlens::testing::TemporaryFile;

namespace {

using SiteName = std::tuple<uint32_t, uint32_t, uint32_t, format::AllocationKind>;

struct Amounts {
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  bool operator==(const Amounts&) const = default;
};

// Sites that count for nothing are left out.
using Sums = std::map<SiteName, Amounts>;

struct Answers {
  Sums allocated, retained, peak, temporary;
};

SiteName name_of(const reader::Site& site) {
  return {site.process_index, site.thread_index, site.node, site.kind};
}

void add(Sums& sums, const SiteName& name, uint64_t bytes, uint64_t blocks) {
  if (bytes == 0 && blocks == 0) return;
  sums[name].bytes += bytes;
  sums[name].blocks += blocks;
}

Answers from_sites(const Analysis& analysis) {
  Answers answers;
  for (const reader::Site& site : analysis.sites) {
    add(answers.allocated, name_of(site), site.allocated.bytes, site.allocated.blocks);
    add(answers.retained, name_of(site), site.leaked.bytes, site.leaked.blocks);
    add(answers.peak, name_of(site), site.peak.bytes, site.peak.blocks);
    add(answers.temporary, name_of(site), site.temporary.bytes, site.temporary.blocks);
  }
  return answers;
}

Answers from_cells(const Analysis& analysis, size_t first, size_t end) {
  const reader::RangeMatrix& ranges = *analysis.ranges;
  const auto begin = ranges.buckets.begin();
  const auto highest = std::ranges::max_element(begin + static_cast<ptrdiff_t>(first),
                                                begin + static_cast<ptrdiff_t>(end), {},
                                                &reader::RangeBucket::high_bytes);
  const auto high_cell = static_cast<size_t>(2 * (highest - begin) + 2);
  Answers answers;
  for (size_t i = 0; i < ranges.sites.size(); ++i) {
    const SiteName name = name_of(analysis.sites[i]);
    for (const reader::RangeTemporary& temporary : ranges.sites[i].temporary) {
      if (temporary.bucket < first || temporary.bucket >= end) continue;
      add(answers.temporary, name, temporary.tally.bytes, temporary.tally.blocks);
    }
    for (const RangeCell& cell : ranges.sites[i].cells) {
      const auto [bytes, blocks] = cell.tally;
      if (cell.allocated < high_cell && high_cell <= cell.removed) {
        add(answers.peak, name, bytes, blocks);
      }
      if (cell.allocated < 2 * first + 1 || cell.allocated >= 2 * end + 1) continue;
      add(answers.allocated, name, bytes, blocks);
      if (cell.removed >= 2 * end + 1 || cell.unfreed) add(answers.retained, name, bytes, blocks);
    }
  }
  return answers;
}

void check_equal(const Answers& found, const Answers& wanted) {
  CHECK(found.allocated == wanted.allocated);
  CHECK(found.retained == wanted.retained);
  CHECK(found.peak == wanted.peak);
  CHECK(found.temporary == wanted.temporary);
}

Sums difference(Sums sums, const Sums& less) {
  for (const auto& [name, amounts] : less) {
    sums[name].bytes -= amounts.bytes;
    sums[name].blocks -= amounts.blocks;
  }
  std::erase_if(sums, [](const auto& each) { return each.second == Amounts{}; });
  return sums;
}

// Every range of whole buckets.
void check_ranges(const Capture& capture, Query query, uint32_t buckets) {
  const Query plain = query;
  query.range_buckets = buckets;
  const Analysis analysis = reader::analyze(capture, query);
  REQUIRE(analysis.ranges);
  REQUIRE(analysis.ranges->buckets.size() == buckets);
  check_equal(from_cells(analysis, 0, buckets), from_sites(reader::analyze(capture, plain)));

  const double from = analysis.ranges->from_seconds;
  const double length = analysis.ranges->to_seconds - from;
  // Temporary blocks allocated from a bucket on, whenever freed: a pass that ends with the range
  // does not see the last of them go.
  std::vector<Sums> temporary_from(buckets + 1);
  for (uint32_t first = 0; first < buckets; ++first) {
    Query part = plain;
    if (first > 0) part.from_seconds = from + length * first / buckets + 0.2e-9;
    temporary_from[first] = from_sites(reader::analyze(capture, part)).temporary;
  }
  for (uint32_t first = 0; first < buckets; ++first) {
    for (uint32_t end = first + 1; end <= buckets; ++end) {
      Query part = plain;
      // Buckets hold their start and not their end; a query holds both. A tick is 1 ns.
      if (first > 0) part.from_seconds = from + length * first / buckets + 0.2e-9;
      if (end < buckets) part.to_seconds = from + length * end / buckets - 0.8e-9;
      INFO("buckets ", first, " to ", end);
      Answers wanted = from_sites(reader::analyze(capture, part));
      wanted.temporary = difference(temporary_from[first], temporary_from[end]);
      check_equal(from_cells(analysis, first, end), wanted);
    }
  }
}

void check_history(const testing::RandomHistoryOptions& options, uint64_t seed,
                   const testing::WritingOptions& writing, const Query& query) {
  CAPTURE(seed);
  const TemporaryFile file(testing::write_history(testing::random_history(options, seed), writing));
  check_ranges(Capture::open(file.path()), query, 8);
}

}  // namespace

TEST_CASE("one thread: every range equals a pass over that range") {
  for (uint64_t seed = 1; seed <= 6; ++seed) check_history({.undos = false}, seed, {}, {});
}

TEST_CASE("threads and processes that end: every range equals a pass over that range") {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    const testing::RandomHistoryOptions options{
        .processes = 3, .threads = 2, .undos = false, .process_ends = true};
    check_history(options, seed, {}, {});
    check_history(options, seed, {}, {.pid = 1002});
  }
}

TEST_CASE("what Python's shutdown frees is retained, and in no later peak") {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    check_history({.undos = false, .shutdown = true}, seed, {}, {});
    check_history({.undos = false, .shutdown = true}, seed, {}, {.until_exit = true});
  }
}

TEST_CASE("undone frees and unmaps leave the sums of the whole time what they are") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    const TemporaryFile file(testing::write_history(testing::random_history({}, seed), {}));
    const Capture capture = Capture::open(file.path());
    const Analysis analysis = reader::analyze(capture, {.range_buckets = 16});
    check_equal(from_cells(analysis, 0, 16), from_sites(analysis));
  }
}

TEST_CASE("curves of the processes add up to the timeline where only one is alive") {
  const TemporaryFile file(testing::write_history(testing::random_history({}, 3), {}));
  const Analysis analysis =
      reader::analyze(Capture::open(file.path()), {.timeline_points = 20, .range_buckets = 16});
  REQUIRE(analysis.ranges->processes.size() == 1);
  CHECK(analysis.ranges->processes[0].process_index == 1);
  for (size_t i = 0; i < 20; ++i) {
    CHECK(analysis.ranges->processes[0].high_bytes[i] == analysis.timeline[i].high_bytes);
  }
}

TEST_CASE("a mark is told with its name and its moment, where the query looks") {
  const TemporaryFile file(testing::sample_captures().at("everything"));
  const Capture capture = Capture::open(file.path());
  const Analysis analysis = reader::analyze(capture, {});
  REQUIRE(analysis.marks.size() == 1);
  CHECK(analysis.marks[0].name == std::string(300, 'm'));
  CHECK(analysis.marks[0].process_index == 1);
  CHECK(analysis.marks[0].seconds == doctest::Approx(7e-6));
  CHECK(reader::analyze(capture, {.from_seconds = 1e6}).marks.empty());
}
