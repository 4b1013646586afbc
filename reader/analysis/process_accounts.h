// One process's events, applied to the accounts: what is alive at which address, and what a free, a
// partial unmap, an undo or the interpreter's shutdown means for the sums.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "reader/analysis/accounts.h"
#include "reader/analysis/live_blocks.h"
#include "reader/analysis/live_visit.h"
#include "reader/analysis/mappings.h"
#include "reader/analysis/untouched.h"
#include "reader/events/event.h"

namespace memlens::reader {

// The Sink of a ProcessMerge.
class ProcessAccounts {
 public:
  // `from_nothing`: blocks from before the range are no blocks (marked_ranges.h).
  ProcessAccounts(Accounts& accounts, uint32_t number, const Query& query, bool from_nothing)
      : accounts_(accounts),
        ranges_(accounts.ranges()),
        number_(number),
        temporary_threshold_(query.temporary_threshold),
        until_exit_(query.until_exit),
        from_nothing_(from_nothing) {
    if (ranges_ != nullptr) own_.live.keep_range_births();
  }

  // What is known of the mappings that live until the process ends; nullptr: nothing. Lives as
  // long.
  void set_untouched(const UntouchedBytes* untouched) { untouched_ = untouched; }
  // Ranges to compare with what is mapped in the end; before the first event.
  void compare_with(const ResidentMemoryRecord& told) { resident_memory_ = &told; }
  // In the end: found by comparing.
  const UntouchedBytes& found_untouched() const { return found_untouched_; }
  // Also for processes that never end.
  void compare_mappings();

  // A thread; returns the number it has here. Blocks of a thread that is not selected are followed,
  // since other threads may free them, but not counted.
  uint32_t add_stream(bool selected);
  // As the accounts know it.
  uint32_t global_stream(uint32_t stream) const { return streams_[stream].global_number; }

  void set_time(uint64_t ticks) { accounts_.set_time(ticks); }
  bool finished() const { return accounts_.finished(); }
  void set_order_exact(bool exact) { accounts_.set_order_exact(exact); }
  const Event* apply_run(uint32_t stream, const Event* begin, const Event* end);
  bool try_apply(uint32_t stream, const Event& event);
  void apply(uint32_t stream, const Event& event);
  void prefetch(uint32_t stream, const Event* next, const Event* end) const;
  void end_stream(uint32_t stream) { streams_[stream].state.reset(); }

  // The process is gone, and its memory with it: what it had not freed stays unfreed, but is alive
  // no more.
  void end_process();

  // visit(LiveVisit) of what is alive now, block by block; `thread` is the accounts' number of the
  // stream.
  template <typename Visit>
  void for_each_live(Visit&& visit) const;

  uint64_t events() const { return events_; }
  uint64_t unmatched_frees() const { return unmatched_frees_; }
  uint64_t replaced_blocks() const { return replaced_blocks_; }

 private:
  static constexpr uint32_t kNoSite = UINT32_MAX;  // of what is not selected
  static constexpr unsigned kPrefetchFar = 20;     // events ahead
  static constexpr unsigned kPrefetchNear = 8;
  static constexpr size_t kCacheBytes = 2 << 20;

  // What a free or unmap did, for an undo.
  struct Retired {
    enum What : uint8_t { kNothing, kUnmatched, kBlock, kMappings } what = kNothing;
    bool freed = false;      // it counts as freed
    bool temporary = false;  // and as temporary
    bool spared = false;     // the interpreter's shutdown freed it: see Spared
    bool outlived = false;   // allocations that were not sampled
    bool is_sample = false;
    LiveBlock block{};
    uint64_t blocks = 1;                   // that the block counts for
    Sample sample;                         // with is_sample
    RangeRecorder::Birth range_birth = 0;  // of the block
    struct Piece {
      UnmappedPiece range;
      uint64_t untouched_bytes;  // of the range, which its site did not have
      bool counted_bytes;        // its bytes were counted as freed
      bool last;                 // nothing was left of the mapping
      bool temporary;
      bool spared;
    };
    std::vector<Piece> pieces;
  };

  // Blocks by address, of the process or of one of its pools.
  struct Blocks {
    LiveBlocks live;
    std::unordered_map<uint64_t, Sample> samples;  // of those that are samples
  };

  struct StreamState {
    std::vector<uint32_t> stack_sites;  // by Event::stack; of the chunk
    Retired retired;
    bool unmapped_heap = false;  // by the last unmap, which was not undone
    bool outlived = false;       // by the block that is freed next: see EventType::kOutlived
    uint64_t sample_interval = 0;
  };

  struct Stream {
    uint32_t global_number = 0;
    bool selected = true;
    std::unique_ptr<StreamState> state;
  };

  StreamState& state_of(uint32_t stream);
  bool outgrew_cache() const;
  void prefetch_site(uint32_t site) const;
  void prefetch_of(const Stream& stream, const StreamState& state, const Event* event,
                   const Event* end) const;
  template <bool kPrefetches>
  const Event* apply_run_of(uint32_t stream_number, const Event* begin, const Event* end);
  uint32_t site_of(const Stream& stream, const Event& event);
  uint32_t birth_of(const Stream& stream, bool carried);
  void allocate(Stream& stream, StreamState& state, const Event& event);
  void allocate_in(Blocks& blocks, const Stream& stream, StreamState& state, const Event& event,
                   uint32_t site, bool carried);
  bool free(StreamState& state, const Event& event);
  bool free_in(Blocks& blocks, StreamState& state, const Event& event);
  void free_unmatched(const Stream& stream, StreamState& state);
  void release(Blocks& blocks, const LiveBlock& block, RangeRecorder::Birth range_birth,
               Retired& retired);
  const Sample& weigh(Blocks& blocks, StreamState& state, const Event& event, uint32_t site);
  const Sample* take_sample(Blocks& blocks, const LiveBlock& block, Retired& retired);
  void undo_sample(const LiveBlock& block, const Retired& retired);
  Blocks& pool(uint32_t number);
  void allocate_in_pool(const Stream& stream, StreamState& state, const Event& event);
  void free_in_pool(const Stream& stream, StreamState& state, const Event& event);
  void reset_pool(StreamState& state, uint32_t number);
  void map(Stream& stream, StreamState& state, const Event& event);
  void unmap(StreamState& state, uint64_t address, uint64_t size_bytes);
  void count_temporary(uint32_t site, RangeRecorder::Birth range_birth, uint64_t bytes,
                       uint64_t blocks);
  void uncount_temporary(uint32_t site, RangeRecorder::Birth range_birth, uint64_t bytes,
                         uint64_t blocks);
  void undo(StreamState& state);
  void undo_unmap(const Retired::Piece& piece);
  void shut_down(bool began);
  void spare(uint32_t site, RangeRecorder::Birth range_birth, uint64_t bytes, uint64_t blocks,
             bool counted, const Sample* sample);
  void take_back_spared(uint32_t site, RangeRecorder::Birth range_birth, uint64_t bytes,
                        uint64_t blocks, bool counted, const Sample* sample);
  void count_spared_as_freed();
  RangeRecorder::Birth range_birth_of(Blocks& blocks, const LiveBlock& block);
  void end_ranges_of(Blocks& blocks);
  void end_ranges();

  // What a shutdown has freed and not counted, of one site and range birth: the interpreter may be
  // started again, and then it counts as freed after all.
  struct Spared {
    uint64_t bytes = 0;  // also of blocks allocated before the range
    uint64_t blocks = 0;
    uint64_t counted_bytes = 0;
    uint64_t counted_blocks = 0;
    SampleVariance variance;
  };
  Spared& spared(uint32_t site, RangeRecorder::Birth range_birth) {
    return spared_[static_cast<uint64_t>(site) << 32 | range_birth];
  }

  // A free of it is one the interpreter's shutdown does, and not counted.
  bool outlives_program(unsigned generation) const {
    return in_shutdown_ && generation < generation_ && !until_exit_;
  }
  bool is_temporary(const SiteAccount& site, uint32_t birth) {
    return accounts_.allocation_count(site.stream) - birth < temporary_threshold_;
  }

  Accounts& accounts_;
  RangeRecorder* const ranges_;  // may be nullptr
  const uint32_t number_;        // among the processes
  const uint32_t temporary_threshold_;
  const bool until_exit_;
  const bool from_nothing_;
  Blocks own_;
  std::unordered_map<uint32_t, Blocks> pools_;  // those that have blocks, by number
  Mappings mappings_;
  std::vector<Stream> streams_;
  std::vector<uint32_t> sites_;  // of this process
  unsigned generation_ = 0;      // how many shutdowns have begun
  bool in_shutdown_ = false;
  const UntouchedBytes* untouched_ = nullptr;
  const ResidentMemoryRecord* resident_memory_ = nullptr;
  UntouchedBytes found_untouched_;
  uint32_t mapping_count_ = 0;
  bool mappings_compared_ = false;
  std::unordered_map<uint64_t, Spared> spared_;
  uint64_t events_ = 0;
  uint64_t unmatched_frees_ = 0;
  uint64_t replaced_blocks_ = 0;
};

template <typename Visit>
void ProcessAccounts::for_each_live(Visit&& visit) const {
  const auto of_site = [&](uint32_t number, uint64_t address, uint64_t size_bytes) {
    const SiteAccount& site = accounts_.sites()[number];
    LiveVisit live;
    live.thread = site.stream;
    live.node = site.node;
    live.kind = site.kind;
    live.address = address;
    live.size_bytes = size_bytes;
    return live;
  };
  const auto visit_blocks = [&](const Blocks& blocks, uint32_t pool) {
    blocks.live.for_each([&](const LiveBlock& block) {
      if (block.site == kNoSite) return;
      LiveVisit live = of_site(block.site, block.address, block.size_bytes);
      live.pool = pool;
      if (const auto sample = blocks.samples.find(block.address); sample != blocks.samples.end()) {
        live.size_bytes = sample->second.size_bytes;
        live.interval_bytes = sample->second.interval_bytes;
      }
      visit(live);
    });
  };
  visit_blocks(own_, 0);
  for (const auto& [number, blocks] : pools_) visit_blocks(blocks, number);
  mappings_.for_each_range([&](uint64_t begin, uint64_t end, const Mapping& mapping) {
    if (mapping.site == kNoSite) return;
    LiveVisit live = of_site(mapping.site, begin, end - begin);
    live.is_mapping = true;
    visit(live);
  });
}

}  // namespace memlens::reader
