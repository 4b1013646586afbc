#include "reader/analysis/range_recorder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <vector>

namespace memlens::reader {
namespace {

constexpr unsigned kSites = 5;

// What happened, kept whole: the plain way to the same answers.
struct Happening {
  enum What { kAllocate, kRemove, kRestore } what;
  uint64_t ticks;
  size_t block;
};
struct Block {
  uint32_t site;
  uint64_t bytes;
  RangeRecorder::Birth birth;
  bool unfreed = false;
  bool temporary = false;
};

struct History {
  std::vector<Happening> happenings;
  std::vector<Block> blocks;
  RangeRecorder::Axis axis;
};

using Sums = std::vector<RangeTally>;  // by site

void add(RangeTally& sum, uint64_t bytes, uint64_t blocks) {
  sum.bytes += bytes;
  sum.blocks += blocks;
}

struct Answers {
  Sums allocated = Sums(kSites), retained = Sums(kSites), peak = Sums(kSites),
       temporary = Sums(kSites);
};

// Replays everything. `first` and `end` are ticks; the last bucket also holds what comes later.
Answers replay(const History& history, uint64_t first, uint64_t end) {
  Answers answers;
  std::vector<bool> alive(history.blocks.size(), false), within(history.blocks.size(), false);
  uint64_t live = 0, highest = 0;
  bool entered = false;
  const auto take_peak = [&] {
    highest = live;
    answers.peak = Sums(kSites);
    for (size_t i = 0; i < alive.size(); ++i) {
      if (alive[i]) add(answers.peak[history.blocks[i].site], history.blocks[i].bytes, 1);
    }
  };
  std::vector<bool> gone_unfreed(history.blocks.size(), false);
  for (const Happening& happening : history.happenings) {
    if (!entered && happening.ticks >= first) {
      entered = true;
      take_peak();
    }
    if (happening.ticks >= end) break;
    const Block& block = history.blocks[happening.block];
    if (happening.what == Happening::kRemove) {
      alive[happening.block] = false;
      gone_unfreed[happening.block] = block.unfreed;
      live -= block.bytes;
      continue;
    }
    alive[happening.block] = true;
    gone_unfreed[happening.block] = false;
    live += block.bytes;
    if (happening.what == Happening::kAllocate && happening.ticks >= first) {
      within[happening.block] = true;
      add(answers.allocated[block.site], block.bytes, 1);
    }
    if (entered && live > highest) take_peak();
  }
  if (!entered) take_peak();
  for (size_t i = 0; i < alive.size(); ++i) {
    const Block& block = history.blocks[i];
    if (within[i] && block.temporary) add(answers.temporary[block.site], block.bytes, 1);
    if (within[i] && (alive[i] || gone_unfreed[i])) {
      add(answers.retained[history.blocks[i].site], history.blocks[i].bytes, 1);
    }
  }
  return answers;
}

// The same from cells, as reader/analysis/range_matrix.h says.
Answers from_cells(const RangeRecorder::Result& result, unsigned first, unsigned end) {
  const auto begin = result.bucket_highs.begin();
  const auto highest = std::max_element(begin + first, begin + end) - begin;
  const auto high_cell = static_cast<unsigned>(2 * highest + 2);
  Answers answers;
  for (size_t site = 0; site < result.sites.size(); ++site) {
    for (const RangeTemporary& temporary : result.sites[site].temporary) {
      if (temporary.bucket < first || temporary.bucket >= end) continue;
      add(answers.temporary[site], temporary.tally.bytes, temporary.tally.blocks);
    }
    for (const RangeCell& cell : result.sites[site].cells) {
      const auto [bytes, blocks] = cell.tally;
      if (cell.allocated < high_cell && high_cell <= cell.removed) {
        add(answers.peak[site], bytes, blocks);
      }
      if (cell.allocated < 2 * first + 1 || cell.allocated >= 2 * end + 1) continue;
      add(answers.allocated[site], bytes, blocks);
      if (cell.removed >= 2 * end + 1 || cell.unfreed) add(answers.retained[site], bytes, blocks);
    }
  }
  return answers;
}

bool equal(const Sums& a, const Sums& b) {
  return std::ranges::equal(a, b, [](const RangeTally& x, const RangeTally& y) {
    return x.bytes == y.bytes && x.blocks == y.blocks;
  });
}

struct Recording {
  History history;
  RangeRecorder::Result result;
};

// A program that grows and shrinks at random; with undone removals right after what they undo.
Recording record_random(unsigned seed, const RangeRecorder::Axis& axis, unsigned happenings,
                        bool with_undo) {
  std::mt19937 random(seed);
  const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  Recording recording;
  History& history = recording.history;
  history.axis = axis;
  RangeRecorder recorder(axis);
  std::vector<size_t> alive;
  uint64_t ticks = 0;
  if (axis.from_ticks == 0) recorder.start();
  for (unsigned i = 0; i < happenings; ++i) {
    ticks += pick(4) == 0 ? pick(6) : 0;
    if (!recorder.is_started() && ticks >= axis.from_ticks) recorder.start();
    recorder.set_time(ticks);
    if (alive.empty() || pick(100) < (i / 40 % 2 == 0 ? 62u : 38u)) {
      Block block{pick(kSites), 1 + pick(50), 0};
      block.birth = recorder.allocate(block.site, 1, block.bytes);
      alive.push_back(history.blocks.size());
      history.happenings.push_back({Happening::kAllocate, ticks, history.blocks.size()});
      history.blocks.push_back(block);
      continue;
    }
    const size_t at = pick(static_cast<unsigned>(alive.size()));
    const size_t number = alive[at];
    Block& block = history.blocks[number];
    block.unfreed = pick(10) == 0;
    block.temporary = pick(3) == 0;
    recorder.remove(block.site, 1, block.birth, block.bytes, 1, block.unfreed);
    if (block.temporary) recorder.add_temporary(block.site, block.birth, block.bytes);
    if (with_undo && pick(8) == 0) {
      // The block was there all the time: nothing for the plain history.
      recorder.restore(block.site, 1, block.birth, block.bytes, 1, block.unfreed);
      if (block.temporary) recorder.take_back_temporary(block.site, block.birth, block.bytes);
      block.unfreed = block.temporary = false;
      continue;
    }
    history.happenings.push_back({Happening::kRemove, ticks, number});
    alive.erase(alive.begin() + static_cast<ptrdiff_t>(at));
  }
  recording.result = recorder.finish();
  return recording;
}

uint64_t ticks_of_boundary(const RangeRecorder::Axis& axis, unsigned bucket, size_t buckets) {
  if (bucket == 0) return axis.from_ticks;
  if (bucket == buckets) return UINT64_MAX;  // the last bucket takes what is late
  return axis.from_ticks + (axis.to_ticks - axis.from_ticks) * bucket / buckets;
}

void check_all_ranges(const Recording& recording) {
  const auto buckets = static_cast<unsigned>(recording.result.bucket_highs.size());
  for (unsigned first = 0; first < buckets; ++first) {
    for (unsigned end = first + 1; end <= buckets; ++end) {
      const Answers wanted =
          replay(recording.history, ticks_of_boundary(recording.history.axis, first, buckets),
                 ticks_of_boundary(recording.history.axis, end, buckets));
      const Answers found = from_cells(recording.result, first, end);
      INFO("buckets ", first, " to ", end, " of ", buckets);
      REQUIRE(equal(found.allocated, wanted.allocated));
      REQUIRE(equal(found.retained, wanted.retained));
      REQUIRE(equal(found.peak, wanted.peak));
      REQUIRE(equal(found.temporary, wanted.temporary));
    }
  }
}

TEST_CASE("every range of whole buckets is answered as a replay of the events would") {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    check_all_ranges(record_random(seed, {0, 512, 8, 16, 1 << 20}, 700, false));
  }
}

TEST_CASE("what was allocated before the axis is alive in peaks and allocated in no range") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    check_all_ranges(record_random(seed, {128, 384, 8, 16, 1 << 20}, 700, false));
  }
}

TEST_CASE("halving the buckets to stay within the limit of cells loses nothing") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const Recording recording = record_random(seed, {0, 512, 32, 16, 60}, 900, false);
    CHECK(recording.result.bucket_highs.size() < 32);
    check_all_ranges(recording);
  }
}

TEST_CASE("an undone removal leaves no trace in what a range allocated or retained") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const Recording recording = record_random(seed, {0, 512, 8, 16, 1 << 20}, 700, true);
    for (unsigned end = 1; end <= 8; ++end) {
      const Answers wanted =
          replay(recording.history, 0, ticks_of_boundary(recording.history.axis, end, 8));
      const Answers found = from_cells(recording.result, 0, end);
      REQUIRE(equal(found.allocated, wanted.allocated));
      REQUIRE(equal(found.retained, wanted.retained));
      REQUIRE(equal(found.peak, wanted.peak));
      REQUIRE(equal(found.temporary, wanted.temporary));
    }
  }
}

TEST_CASE("sizes are counted by powers of two") {
  RangeRecorder recorder({0, 100, 4, 4, 1000});
  recorder.start();
  for (const uint64_t bytes : {0, 1, 2, 3, 4, 7, 8}) recorder.allocate(0, 0, bytes);
  const auto result = recorder.finish();
  std::map<unsigned, uint64_t> sizes;
  for (const SizeCount& size : result.sites[0].sizes) sizes[size.size_class] = size.blocks;
  CHECK(sizes == std::map<unsigned, uint64_t>{{0, 1}, {1, 1}, {2, 2}, {3, 2}, {4, 1}});
}

TEST_CASE("a process's curve holds the highest of each point") {
  RangeRecorder recorder({0, 100, 4, 4, 1000});
  recorder.start();
  const auto birth = recorder.allocate(0, 2, 100);
  recorder.remove(0, 2, birth, 100, 1, false);
  recorder.set_time(30);
  recorder.allocate(0, 2, 7);
  recorder.set_time(99);
  const auto result = recorder.finish();
  CHECK(result.process_highs[2] == std::vector<uint64_t>{100, 7, 7, 7});
}

}  // namespace
}  // namespace memlens::reader
