// What a pass over the events is asked, and what comes of it: plain values.
//
// Invariant: every byte recorded is in exactly one site of each view, so the sites' sums equal the
// totals; what is unknown sits under a fallback frame, never nowhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "interposer/format/allocation_kind.h"
#include "reader/analysis/range_matrix.h"
#include "reader/capture/capture_info.h"
#include "reader/file/left_out.h"

namespace memlens::reader {

// Of a sum over samples (sample_accounts.h); 0 when every block was recorded.
struct Variance {
  double bytes = 0;
  double blocks = 0;
  bool operator==(const Variance&) const = default;

  void operator+=(const Variance& other) {
    bytes += other.bytes;
    blocks += other.blocks;
  }
};

struct Tally {
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  Variance variance{};
  bool operator==(const Tally&) const = default;

  void operator+=(const Tally& other) {
    bytes += other.bytes;
    blocks += other.blocks;
    variance += other.variance;
  }
};

struct Query {
  std::optional<int32_t> pid = {};
  std::optional<int32_t> tid = {};          // kernel thread id of the allocating thread
  std::optional<double> from_seconds = {};  // since the session's start
  std::optional<double> to_seconds = {};
  uint32_t temporary_threshold = 1;  // freed before this many further allocations of its thread
  // Python frees nearly everything when it shuts down. Unless this is set, a block that was alive
  // when the shutdown began counts as still allocated, and its later free is not counted.
  bool until_exit = false;
  uint32_t timeline_points = 512;
  // Sums from which any range of time can be answered: in at most so many buckets, a power of two.
  uint32_t range_buckets = 0;  // 0: none
  // Moments at which every site's still allocated bytes are kept.
  uint32_t growth_marks = 0;  // 0: none
};

// Where blocks come from: one stack, as allocated through one function by one thread.
struct Site {
  uint32_t process_index = 0;
  uint32_t thread_index = 0;
  uint32_t node = 0;
  format::AllocationKind kind = format::AllocationKind::kMalloc;
  Tally peak;       // alive at the peak of the whole query, blocks from before the range included
  Tally leaked;     // allocated in the range and not freed at its end
  Tally temporary;  // freed before `temporary_threshold` further allocations of the thread
  Tally allocated;  // ever allocated in the range
  bool operator==(const Site&) const = default;
};

struct AllocatorTotals {
  uint64_t allocations = 0;
  uint64_t allocated_bytes = 0;
  uint64_t peak_bytes = 0;  // at the moment of the overall peak
  uint64_t leaked_bytes = 0;
  bool operator==(const AllocatorTotals&) const = default;
};

struct Totals {
  uint64_t allocations = 0;
  uint64_t frees = 0;  // of blocks allocated in the range: allocations - frees == leaked_blocks
  uint64_t allocated_bytes = 0;
  uint64_t peak_bytes = 0;
  uint64_t peak_blocks = 0;
  double peak_seconds = 0;
  // Mapped by then, and never touched: not in any of the sums. Missing where no process told.
  std::optional<uint64_t> untouched_at_peak_bytes = {};
  uint64_t leaked_bytes = 0;
  uint64_t leaked_blocks = 0;
  uint64_t temporary_bytes = 0;
  uint64_t temporary_blocks = 0;
  uint64_t unmatched_frees = 0;  // of blocks whose allocation was not recorded
  uint64_t inherited_frees = 0;  // of these, in forked processes: mostly of their parents' blocks
  // Blocks whose free was not recorded (events were lost), known by their address being given out
  // again. They count as freed.
  uint64_t replaced_blocks = 0;
  uint64_t lost_events = 0;
  uint64_t events = 0;  // records read
  Variance peak_variance, leaked_variance, temporary_variance, allocated_variance;
  uint64_t sample_bytes = 0;  // the longest sampling interval there was
  bool peak_is_exact = true;  // false: threads interleaved around it; within a quarter of a percent
  std::vector<AllocatorTotals> by_allocator;  // as HeapTable::heaps()
  bool operator==(const Totals&) const = default;
};

struct TimelinePoint {
  double seconds = 0;
  uint64_t bytes = 0;       // live at this moment
  uint64_t high_bytes = 0;  // the highest since the previous point
  bool operator==(const TimelinePoint&) const = default;
};

// What a site had still allocated at one mark.
struct GrowthPoint {
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  double variance = 0;        // of the bytes, where they are of samples
  double freed_variance = 0;  // of all the bytes freed until then
  bool operator==(const GrowthPoint&) const = default;

  void operator+=(const GrowthPoint& other) {
    bytes += other.bytes;
    blocks += other.blocks;
    variance += other.variance;
    freed_variance += other.freed_variance;
  }
};

struct Growth {
  std::vector<double> seconds;                  // of the marks, since the session's start
  std::vector<std::vector<GrowthPoint>> sites;  // as Analysis::sites: a point a mark, or none
  // Of what was there at the last mark, by a program that put it away at its end. 0: it did not.
  uint64_t freed_at_exit_bytes = 0;
  std::vector<uint64_t> left_bytes;  // as Analysis::sites: of that, what nobody freed; else empty
  bool operator==(const Growth&) const = default;
};

// What was never touched of a mapping that lived until its process exited. The mapping counts with
// the rest of its bytes only: the reserve of a runtime is address space, not memory.
struct UntouchedMapping {
  uint32_t site = 0;  // its place in Analysis::sites
  uint64_t bytes = 0;
  bool at_peak = false;  // it was there
  bool operator==(const UntouchedMapping&) const = default;
};

// When an interpreter began to shut down: what it frees from here on counts as still allocated.
struct Shutdown {
  double seconds = 0;
  uint32_t process_index = 0;
  bool operator==(const Shutdown&) const = default;
};

struct Analysis {
  Totals totals;
  std::vector<Site> sites;  // unordered
  std::vector<TimelinePoint> timeline;
  std::vector<UntouchedMapping> untouched;
  std::vector<Mark> marks;            // in the range of the query, by time
  std::vector<Shutdown> shutdowns;    // likewise
  std::optional<RangeMatrix> ranges;  // with Query::range_buckets
  std::optional<Growth> growth;       // with Query::growth_marks
  std::vector<LeftOut> left_out;      // events that make no sense; CaptureInfo has what else
  bool operator==(const Analysis&) const = default;
};

}  // namespace memlens::reader
