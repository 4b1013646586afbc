// Builds a RangeMatrix while the events go by: one pass, constant work an event, no look back.
//
// The difficulty is that the high of a bucket is only known when the bucket ends. Each new maximum
// within a bucket starts an *epoch*; whatever happened in an epoch that was not the bucket's last
// happened before its high. So the sums of the open bucket keep the newest epoch apart, and fold it
// into "before the high" as soon as a later epoch is seen. A block carries the epoch of its
// allocation, from which its cell follows once that bucket is closed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include "reader/analysis/range_matrix.h"

namespace memlens::reader {

class RangeRecorder {
 public:
  // What a block remembers of when it was allocated.
  using Birth = uint32_t;

  struct Axis {
    uint64_t from_ticks = 0;
    uint64_t to_ticks = 0;
    unsigned buckets = 256;  // a power of two; halved when there are too many cells
    unsigned curve_points = 512;
    size_t cell_limit = 4 << 20;  // for all sites together
  };

  explicit RangeRecorder(const Axis& axis);

  // The first bucket begins: what is allocated from now on is within the axis.
  void start();
  bool is_started() const { return !buckets_.empty(); }
  // Time has come to `ticks`; it never goes back. Nothing happens before next_moment_ticks().
  void set_time(uint64_t ticks);
  uint64_t next_moment_ticks() const { return next_moment_ticks_; }

  // A sample stands for more than one block; `size_bytes` is of each.
  Birth allocate(uint32_t site, uint32_t process, uint64_t bytes) {
    return allocate(site, process, bytes, 1, bytes);
  }
  Birth allocate(uint32_t site, uint32_t process, uint64_t bytes, uint64_t blocks,
                 uint64_t size_bytes);
  // Bytes and blocks of one allocation may go one after another: unmapping can be in parts.
  void remove(uint32_t site, uint32_t process, Birth birth, uint64_t bytes, uint64_t blocks,
              bool unfreed);
  // What was removed unfreed counts as freed after all, from now on.
  void count_as_freed(uint32_t site, Birth birth, uint64_t bytes, uint64_t blocks);
  // A removal that did not happen.
  void restore(uint32_t site, uint32_t process, Birth birth, uint64_t bytes, uint64_t blocks,
               bool unfreed);

  // Removed blocks of `site` were temporary; and they were not, since the removal did not happen.
  void add_temporary(uint32_t site, Birth birth, uint64_t bytes, uint64_t blocks = 1);
  void take_back_temporary(uint32_t site, Birth birth, uint64_t bytes, uint64_t blocks = 1);

  // Always inlined: gcc takes a function that only prefetches for one without effect and drops it.
  [[gnu::always_inline]] void prefetch(uint32_t site) const {
    if (site >= sites_.size()) return;
    const char* state = reinterpret_cast<const char*>(&sites_[site]);
    __builtin_prefetch(state, 1);
    __builtin_prefetch(state + 64, 1);
    __builtin_prefetch(state + 128, 1);
  }

  // Everything but times in seconds. Process curves are by process number given above.
  struct Result {
    std::vector<uint64_t> bucket_highs;
    std::vector<uint64_t> bucket_high_ticks;
    std::vector<RangeSite> sites;  // by site number; may be fewer than there are
    std::vector<std::vector<uint64_t>> process_highs;
  };
  Result finish();

 private:
  // Signed: an undo takes back what may stand in another cell.
  struct Sum {
    int64_t bytes = 0;
    int64_t blocks = 0;
    void operator+=(const Sum& other) {
      bytes += other.bytes;
      blocks += other.blocks;
    }
  };

  // A sum within the open bucket, not yet known to be before or after its high.
  struct OpenSum {
    Sum before;
    Sum latest;
    uint32_t epoch = 0;
    void add(const Sum& sum, uint32_t now_epoch) {
      if (epoch != now_epoch) {
        before += latest;
        latest = {};
        epoch = now_epoch;
      }
      latest += sum;
    }
    void close(uint32_t last_epoch) {
      if (epoch == last_epoch) return;
      before += latest;
      latest = {};
    }
  };

  // Removals in the open bucket. `allocated` is a cell, or one of these for blocks allocated in the
  // open bucket as well: in the epoch of their removal, or in an earlier one.
  static constexpr uint16_t kSameEpoch = RangeCell::kNever - 1;
  static constexpr uint16_t kEarlierEpoch = RangeCell::kNever - 2;
  struct OpenRemoval {
    uint16_t allocated = 0;
    bool unfreed = false;
    OpenSum sum;
  };

  struct ClosedCell {
    uint16_t allocated = 0;
    uint16_t removed = 0;
    bool unfreed = false;
    Sum sum;
    auto key() const { return std::tuple(allocated, removed, unfreed); }
  };
  struct ClosedAllocation {
    uint16_t allocated = 0;
    Sum sum;
    auto key() const { return allocated; }
  };

  struct Temporary {
    uint16_t bucket = 0;
    Sum sum;
    auto key() const { return bucket; }
  };

  struct SiteState {
    bool is_open = false;
    OpenSum allocated;
    std::vector<OpenRemoval> removals;
    std::vector<ClosedAllocation> closed_allocations;
    std::vector<ClosedCell> closed_removals;
    std::vector<Temporary> temporary;  // the newest bucket last, as a rule
    std::vector<SizeCount> sizes;
  };

  struct Bucket {
    uint64_t high_bytes = 0;
    uint64_t high_ticks = 0;
    uint32_t first_epoch = 0;
    uint32_t high_epoch = 0;  // allocations of an earlier epoch were before the high
  };

  struct ProcessState {
    uint64_t live_bytes = 0;
    uint64_t high_bytes = 0;  // since the open point began
    std::vector<uint64_t> point_highs;
  };

  SiteState& open_site(uint32_t site);
  ProcessState& process_state(uint32_t process);
  void add_removal(uint32_t site, Birth birth, const Sum& sum, bool unfreed);
  void add_live(uint32_t process, uint64_t bytes);
  void change_temporary(uint32_t site, Birth birth, const Sum& sum);
  uint16_t bucket_of(Birth birth) const;
  uint16_t cell_of(Birth birth) const;
  uint64_t end_of(uint64_t part, uint64_t parts) const;
  void open_bucket();
  void close_bucket();
  void close_point();
  void close_site(SiteState& site, uint16_t before_cell);
  void add_closed(SiteState& site, uint16_t allocated, uint16_t removed, bool unfreed,
                  const Sum& sum);
  void halve_buckets();
  template <typename Part>
  static void merge_alike(std::vector<Part>& parts);
  void schedule();
  static std::vector<RangeCell> settle_cells(SiteState& site);
  static RangeSite settle(SiteState& state);

  Axis axis_;
  unsigned bucket_count_;
  uint64_t now_ticks_ = 0;
  uint64_t next_moment_ticks_ = UINT64_MAX;
  uint64_t live_bytes_ = 0;
  uint32_t epoch_ = 0;           // 0: before the first bucket
  std::vector<Bucket> buckets_;  // the last one is open
  std::vector<SiteState> sites_;
  std::vector<uint32_t> open_sites_;
  size_t cells_ = 0;
  std::vector<ProcessState> processes_;
  size_t points_ = 0;  // closed
};

}  // namespace memlens::reader
