// When blocks live: the sums from which any range of time can be answered without the events.
//
// Time is cut into buckets of equal length, and each bucket once more at its *high*: the first
// moment at which it holds the most bytes. These pieces are *cells*: 0 is all time before the first
// bucket; bucket k is cell 2k + 1 before its high and cell 2k + 2 from it on. For each site we
// keep, per pair of cells, the blocks allocated in the one and removed in the other. For a range of
// whole buckets [a, b) that gives, exactly,
//
//     allocated inside   2a + 1 <= allocated < 2b + 1
//     retained           the same, and removed >= 2b + 1 or unfreed
//     peak inside        k = the first bucket of [a, b) with the largest high:
//                        allocated < 2k + 2 <= removed: all that was alive then, whenever made
//
// and, for all buckets, the totals, what is still allocated, and the peak. Temporary blocks are
// kept by the bucket of their allocation alone, however soon after a bucket's end they were freed:
//
//     temporary inside   a <= bucket < b
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace memlens::reader {

struct RangeTally {
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  bool operator==(const RangeTally&) const = default;
};

// Blocks of one site allocated in one cell and removed in another.
struct RangeCell {
  static constexpr uint16_t kNever = std::numeric_limits<uint16_t>::max();

  uint16_t allocated = 0;
  uint16_t removed = kNever;  // kNever: alive at the end
  // Gone with their process, or freed only because Python shut down: still allocated as far as
  // anybody looks for leaks, though alive no more.
  bool unfreed = false;
  RangeTally tally;
  bool operator==(const RangeCell&) const = default;
};

// Temporary blocks of one site that were allocated in one bucket.
struct RangeTemporary {
  uint16_t bucket = 0;
  RangeTally tally;
  bool operator==(const RangeTemporary&) const = default;
};

// Blocks of one size class: requested sizes in [2^(size_class - 1), 2^size_class); 0 is class 0.
struct SizeCount {
  uint8_t size_class = 0;
  uint64_t blocks = 0;
  bool operator==(const SizeCount&) const = default;
};

struct RangeSite {
  std::vector<RangeCell> cells;           // ascending (allocated, removed, unfreed), no two alike
  std::vector<RangeTemporary> temporary;  // ascending, one a bucket at most
  std::vector<SizeCount> sizes;  // ascending classes; of blocks allocated within the buckets
  bool operator==(const RangeSite&) const = default;
};

struct RangeBucket {
  uint64_t high_bytes = 0;
  double high_seconds = 0;
  bool operator==(const RangeBucket&) const = default;
};

// Live bytes of one process: the highest within each of the timeline's points.
struct ProcessCurve {
  uint32_t process_index = 0;
  std::vector<uint64_t> high_bytes;
  bool operator==(const ProcessCurve&) const = default;
};

struct RangeMatrix {
  double from_seconds = 0;
  double to_seconds = 0;
  std::vector<RangeBucket> buckets;
  std::vector<RangeSite> sites;  // as Analysis::sites
  std::vector<ProcessCurve> processes;
  bool operator==(const RangeMatrix&) const = default;
};

// Half as many buckets. `second_is_higher[n]` says which of the former buckets 2n and 2n + 1 had
// the high that the new one keeps; equal highs keep the first.
uint16_t coarser_cell(uint16_t cell, const std::vector<bool>& second_is_higher);

// Sorts and merges what is alike.
void merge_equal(RangeSite& site);

// One site of both; merge_equal() is for the caller to do when all are added.
void append(RangeSite& into, const RangeSite& from);

// What halving the buckets does to a site.
void halve_buckets(RangeSite& site, const std::vector<bool>& second_is_higher);

}  // namespace memlens::reader
