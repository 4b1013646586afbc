#include "reader/analysis/process_accounts.h"

#include <algorithm>
#include <utility>

namespace memlens::reader {

uint32_t ProcessAccounts::add_stream(bool selected) {
  Stream stream;
  stream.global_number = accounts_.add_stream();
  stream.selected = selected;
  streams_.push_back(std::move(stream));
  return static_cast<uint32_t>(streams_.size() - 1);
}

inline ProcessAccounts::StreamState& ProcessAccounts::state_of(uint32_t stream) {
  std::unique_ptr<StreamState>& state = streams_[stream].state;
  if (__builtin_expect(state == nullptr, 0)) state = std::make_unique<StreamState>();
  return *state;
}

inline uint32_t ProcessAccounts::site_of(const Stream& stream, const Event& event) {
  if (!stream.selected) return kNoSite;
  const size_t sites_before = accounts_.sites().size();
  const uint32_t site = accounts_.sites().find_or_add(stream.global_number, event.node, event.kind);
  if (site == sites_before) sites_.push_back(site);
  return site;
}

// What the block to be allocated counts for; a sample is kept with its variance, which the site
// has from here on.
const Sample& ProcessAccounts::weigh(Blocks& blocks, StreamState& state, const Event& event,
                                     uint32_t site) {
  Sample& sample = blocks.samples[event.address];
  sample = accounts_.samples().weigh(site, state.sample_interval, event.size_bytes);
  accounts_.samples().add_live(site, accounts_.peak_epoch(), sample.variance);
  if (accounts_.in_range()) accounts_.samples().account(site).allocated += sample.variance;
  return sample;
}

// The sample that the block to be freed is, taken out of the live ones; nullptr: it is none.
const Sample* ProcessAccounts::take_sample(Blocks& blocks, const LiveBlock& block,
                                           Retired& retired) {
  const auto sample = blocks.samples.extract(block.address);
  if (!sample) return nullptr;
  retired.sample = sample.mapped();
  accounts_.samples().remove_live(block.site, accounts_.peak_epoch(), retired.sample.variance);
  return &retired.sample;
}

void ProcessAccounts::undo_sample(const LiveBlock& block, const Retired& retired) {
  const SampleVariance& variance = retired.sample.variance;
  own_.samples[block.address] = retired.sample;
  accounts_.samples().add_live(block.site, accounts_.peak_epoch(), variance);
  if (retired.freed) accounts_.samples().account(block.site).freed -= variance;
  if (retired.temporary) accounts_.samples().account(block.site).temporary -= variance;
}

// A block from before this file was made long ago: whoever frees it, it was not temporary.
inline uint32_t ProcessAccounts::birth_of(const Stream& stream, bool carried) {
  constexpr uint32_t kLongAgo = 1u << 30;
  const uint32_t birth = ++accounts_.allocation_count(stream.global_number);
  return __builtin_expect(carried, 0) ? birth - kLongAgo : birth;
}

inline void ProcessAccounts::allocate(Stream& stream, StreamState& state, const Event& event) {
  uint32_t site_number;
  if (__builtin_expect(event.type == EventType::kAllocateKnown, 1)) {
    site_number = state.stack_sites[event.stack];
  } else {
    site_number = site_of(stream, event);
    if (event.type == EventType::kAllocate) {
      state.stack_sites.resize(event.stack);  // 0: another chunk's
      state.stack_sites.push_back(site_number);
    }
  }
  allocate_in(own_, stream, state, event, site_number, event.stack == kCarriedBlock);
}

[[gnu::always_inline]] inline void ProcessAccounts::allocate_in(
    Blocks& blocks_of, const Stream& stream, StreamState& state, const Event& event,
    uint32_t site_number, bool carried) {
  const auto [slot, replaced] = blocks_of.live.insert(event.address);
  LiveBlock& block = *slot;
  if (__builtin_expect(replaced, 0)) {
    Retired ignored;
    release(blocks_of, block, range_birth_of(blocks_of, block), ignored);
    ++replaced_blocks_;
  }
  const bool counted = accounts_.in_range();
  if (__builtin_expect(from_nothing_, 0) && !counted) site_number = kNoSite;
  uint64_t bytes = event.size_bytes;
  uint64_t blocks = 1;
  if (__builtin_expect(state.sample_interval != 0, 0) && site_number != kNoSite) {
    const Sample& sample = weigh(blocks_of, state, event, site_number);
    bytes = sample.bytes;
    blocks = sample.blocks;
  }
  block.address = event.address;
  block.size_bytes = bytes;
  block.generation = generation_ & 0x7f;
  block.counted = counted;
  block.site = site_number;
  block.birth = birth_of(stream, carried);
  if (site_number == kNoSite) return;
  SiteAccount& site = accounts_.sites()[site_number];
  accounts_.add_live(site, bytes, blocks);
  if (ranges_ != nullptr) {
    blocks_of.live.range_birth(block) =
        ranges_->allocate(site_number, number_, bytes, blocks, event.size_bytes);
  }
  if (counted) {
    site.allocated_bytes += bytes;
    site.allocated_blocks += blocks;
  }
}

inline RangeRecorder::Birth ProcessAccounts::range_birth_of(Blocks& blocks,
                                                            const LiveBlock& block) {
  return ranges_ != nullptr ? blocks.live.range_birth(block) : 0;
}

inline void ProcessAccounts::release(Blocks& blocks_of, const LiveBlock& block,
                                     RangeRecorder::Birth range_birth, Retired& retired) {
  retired.freed = retired.temporary = retired.spared = false;
  if (block.site == kNoSite) return;
  SiteAccount& site = accounts_.sites()[block.site];
  const Sample* sample = nullptr;
  uint64_t blocks = 1;
  if (__builtin_expect(!blocks_of.samples.empty(), 0)) {
    sample = take_sample(blocks_of, block, retired);
    if (sample != nullptr) blocks = sample->blocks;
  }
  retired.blocks = blocks;
  retired.is_sample = sample != nullptr;
  accounts_.remove_live(site, block.size_bytes, blocks);
  const bool unfreed = retired.spared = outlives_program(block.generation);
  if (ranges_ != nullptr) {
    ranges_->remove(block.site, number_, range_birth, block.size_bytes, blocks, unfreed);
  }
  if (unfreed) spare(block.site, range_birth, block.size_bytes, blocks, block.counted, sample);
  if (!block.counted || unfreed) return;
  retired.freed = true;
  site.freed_bytes += block.size_bytes;
  site.freed_blocks += blocks;
  if (sample != nullptr) accounts_.samples().account(block.site).freed += sample->variance;
  if (is_temporary(site, block.birth) && !retired.outlived) {
    retired.temporary = true;
    count_temporary(block.site, range_birth, block.size_bytes, blocks);
    if (sample != nullptr) accounts_.samples().account(block.site).temporary += sample->variance;
  }
}

void ProcessAccounts::spare(uint32_t site, RangeRecorder::Birth range_birth, uint64_t bytes,
                            uint64_t blocks, bool counted, const Sample* sample) {
  Spared& sum = spared(site, range_birth);
  sum.bytes += bytes;
  sum.blocks += blocks;
  if (!counted) return;
  sum.counted_bytes += bytes;
  sum.counted_blocks += blocks;
  if (sample != nullptr) sum.variance += sample->variance;
}

// A free that was spared, and did not happen.
void ProcessAccounts::take_back_spared(uint32_t site, RangeRecorder::Birth range_birth,
                                       uint64_t bytes, uint64_t blocks, bool counted,
                                       const Sample* sample) {
  Spared& sum = spared(site, range_birth);
  sum.bytes -= bytes;
  sum.blocks -= blocks;
  if (!counted) return;
  sum.counted_bytes -= bytes;
  sum.counted_blocks -= blocks;
  if (sample != nullptr) sum.variance -= sample->variance;
}

void ProcessAccounts::count_spared_as_freed() {
  for (const auto& [key, sum] : spared_) {
    const auto site_number = static_cast<uint32_t>(key >> 32);
    SiteAccount& site = accounts_.sites()[site_number];
    site.freed_bytes += sum.counted_bytes;
    site.freed_blocks += sum.counted_blocks;
    if (sum.variance.bytes != 0) accounts_.samples().account(site_number).freed += sum.variance;
    if (ranges_ != nullptr) {
      ranges_->count_as_freed(site_number, static_cast<RangeRecorder::Birth>(key), sum.bytes,
                              sum.blocks);
    }
  }
  spared_.clear();
}

inline void ProcessAccounts::count_temporary(uint32_t site_number, RangeRecorder::Birth range_birth,
                                             uint64_t bytes, uint64_t blocks) {
  SiteAccount& site = accounts_.sites()[site_number];
  site.temporary_bytes += bytes;
  site.temporary_blocks += blocks;
  if (ranges_ != nullptr) ranges_->add_temporary(site_number, range_birth, bytes, blocks);
}

void ProcessAccounts::uncount_temporary(uint32_t site_number, RangeRecorder::Birth range_birth,
                                        uint64_t bytes, uint64_t blocks) {
  SiteAccount& site = accounts_.sites()[site_number];
  site.temporary_bytes -= bytes;
  site.temporary_blocks -= blocks;
  if (ranges_ != nullptr) ranges_->take_back_temporary(site_number, range_birth, bytes, blocks);
}

inline bool ProcessAccounts::free(StreamState& state, const Event& event) {
  return free_in(own_, state, event);
}

[[gnu::always_inline]] inline bool ProcessAccounts::free_in(Blocks& blocks, StreamState& state,
                                                            const Event& event) {
  LiveBlock* block = blocks.live.find(event.address);
  if (block == nullptr) return false;
  state.retired.outlived = std::exchange(state.outlived, false);
  state.retired.what = Retired::kBlock;
  state.retired.block = *block;
  state.retired.range_birth = range_birth_of(blocks, *block);
  blocks.live.erase(block);
  release(blocks, state.retired.block, state.retired.range_birth, state.retired);
  return true;
}

void ProcessAccounts::free_unmatched(const Stream& stream, StreamState& state) {
  state.retired.what = Retired::kNothing;
  state.outlived = false;
  if (!stream.selected || !accounts_.in_range()) return;
  state.retired.what = Retired::kUnmatched;
  ++unmatched_frees_;
}

[[gnu::always_inline]] inline void ProcessAccounts::prefetch_site(uint32_t site) const {
  accounts_.sites().prefetch(site);
  if (ranges_ != nullptr) ranges_->prefetch(site);
}

// Each event needs a bucket of the live blocks and an account, anywhere in tables that may be far
// larger than the processor's caches. They are asked for in two steps, since the first leads to the
// second. On 2 million live blocks of 50,000 sites that takes more than a third off the pass. Where
// all fits the second cache it would add as much.
[[gnu::always_inline]] inline void ProcessAccounts::prefetch_of(const Stream& stream,
                                                                const StreamState& state,
                                                                const Event* event,
                                                                const Event* end) const {
  if (event + kPrefetchFar >= end) return;
  const SiteTable& sites = accounts_.sites();
  const Event& far = event[kPrefetchFar];
  own_.live.prefetch(far.address);
  if (__builtin_expect(far.type == EventType::kAllocate, 0))
    sites.prefetch_bucket(stream.global_number, far.node, far.kind);
  const Event& near = event[kPrefetchNear];
  if (near.type == EventType::kFree) {
    prefetch_site(own_.live.likely_site(near.address));
  } else if (near.type == EventType::kAllocateKnown) {
    if (near.stack < state.stack_sites.size()) prefetch_site(state.stack_sites[near.stack]);
  } else if (near.type == EventType::kAllocate) {
    sites.prefetch_likely(stream.global_number, near.node, near.kind);
  }
}

inline bool ProcessAccounts::outgrew_cache() const {
  return own_.live.table_bytes() + accounts_.sites().size() * sizeof(SiteAccount) > kCacheBytes;
}

void ProcessAccounts::prefetch(uint32_t stream_number, const Event* next, const Event* end) const {
  const Stream& stream = streams_[stream_number];
  if (outgrew_cache() && stream.state != nullptr) prefetch_of(stream, *stream.state, next, end);
}

template <bool kPrefetches>
const Event* ProcessAccounts::apply_run_of(uint32_t stream_number, const Event* begin,
                                           const Event* end) {
  Stream& stream = streams_[stream_number];
  StreamState& state = state_of(stream_number);
  const Event* event = begin;
  for (; event != end && !is_control(event->type); ++event) {
    if constexpr (kPrefetches) prefetch_of(stream, state, event, end);
    switch (event->type) {
      case EventType::kAllocate:
      case EventType::kAllocateKnown:
      case EventType::kAllocateWide:
        allocate(stream, state, *event);
        break;
      case EventType::kFree:
        if (!free(state, *event)) free_unmatched(stream, state);
        break;
      case EventType::kUnmap:
        // Undone at once, it changes nothing but what can be undone: a program that fails again and
        // again to unmap a range of many mappings is not read in the square of their number.
        if (event + 1 != end && event[1].type == EventType::kUndo) {
          state.retired.what = Retired::kNothing;
          state.unmapped_heap = false;
          ++event;
          break;
        }
        [[fallthrough]];
      default:
        --events_;  // apply() counts it
        apply(stream_number, *event);
        break;
    }
  }
  events_ += static_cast<uint64_t>(event - begin);
  return event;
}

const Event* ProcessAccounts::apply_run(uint32_t stream, const Event* begin, const Event* end) {
  return outgrew_cache() ? apply_run_of<true>(stream, begin, end)
                         : apply_run_of<false>(stream, begin, end);
}

bool ProcessAccounts::try_apply(uint32_t stream, const Event& event) {
  if (event.type == EventType::kUnmap) {
    if (!mappings_.covers(event.address, event.size_bytes)) return false;
    apply(stream, event);
    return true;
  }
  if (!free(state_of(stream), event)) return false;
  ++events_;
  return true;
}

void ProcessAccounts::apply(uint32_t stream_number, const Event& event) {
  ++events_;
  Stream& stream = streams_[stream_number];
  StreamState& state = state_of(stream_number);
  switch (event.type) {
    case EventType::kAllocate:
    case EventType::kAllocateKnown:
    case EventType::kAllocateWide:
      allocate(stream, state, event);
      break;
    case EventType::kFree:
      if (!free(state, event)) free_unmatched(stream, state);
      break;
    case EventType::kUndo:
      undo(state);
      break;
    case EventType::kMap:
      map(stream, state, event);
      break;
    case EventType::kUnmap:
      unmap(state, event.address, event.size_bytes);
      state.unmapped_heap = !state.retired.pieces.empty();
      break;
    case EventType::kShutdown:
      shut_down(event.size_bytes != 0);
      break;
    case EventType::kInterval:
      state.sample_interval = event.size_bytes;
      break;
    case EventType::kOutlived:
      state.outlived = true;
      break;
    case EventType::kMark:
      accounts_.add_mark(number_, event.node);
      break;
    case EventType::kPoolAllocate:
      allocate_in_pool(stream, state, event);
      break;
    case EventType::kPoolFree:
      free_in_pool(stream, state, event);
      break;
    case EventType::kPoolReset:
      reset_pool(state, event.stack);
      break;
    case EventType::kEpoch:
    case EventType::kTime:
      break;
  }
}

ProcessAccounts::Blocks& ProcessAccounts::pool(uint32_t number) {
  const auto [place, is_new] = pools_.try_emplace(number);
  if (is_new && ranges_ != nullptr) place->second.live.keep_range_births();
  return place->second;
}

void ProcessAccounts::allocate_in_pool(const Stream& stream, StreamState& state,
                                       const Event& event) {
  state.retired.what = Retired::kNothing;
  allocate_in(pool(event.stack), stream, state, event, site_of(stream, event),
              event.stamp == kCarriedBlock);
}

void ProcessAccounts::free_in_pool(const Stream& stream, StreamState& state, const Event& event) {
  const auto blocks = pools_.find(event.stack);
  if (blocks == pools_.end() || !free_in(blocks->second, state, event)) {
    return free_unmatched(stream, state);
  }
  if (blocks->second.live.size() == 0) pools_.erase(blocks);
  state.retired.what = Retired::kNothing;  // an undo is never about it
}

void ProcessAccounts::reset_pool(StreamState& state, uint32_t number) {
  state.retired.what = Retired::kNothing;
  const auto found = pools_.find(number);
  if (found == pools_.end()) return;
  Blocks& blocks = found->second;
  Retired ignored;
  blocks.live.for_each([&](const LiveBlock& block) {
    release(blocks, block, range_birth_of(blocks, block), ignored);
  });
  pools_.erase(found);
}

void ProcessAccounts::map(Stream& stream, StreamState& state, const Event& event) {
  // What is still there was replaced by this, or unmapped in a way that was not recorded.
  unmap(state, event.address, event.size_bytes);
  state.retired.what = Retired::kNothing;
  // mremap moves files, shared memory and reservations too: heap is what was heap before.
  if (event.kind == format::AllocationKind::kMremap && !state.unmapped_heap) return;
  auto mapping = std::make_shared<Mapping>();
  mapping->live_bytes = event.size_bytes;
  mapping->number = ++mapping_count_;
  if (untouched_ != nullptr) {
    const auto known = untouched_->find(mapping->number);
    if (known != untouched_->end())
      mapping->untouched_bytes = std::min(known->second, event.size_bytes);
  }
  const uint64_t touched_bytes = event.size_bytes - mapping->untouched_bytes;
  mapping->touched_bytes = touched_bytes;
  mapping->site = from_nothing_ && !accounts_.in_range() ? kNoSite : site_of(stream, event);
  mapping->birth = birth_of(stream, event.stack == kCarriedBlock);
  mapping->generation = static_cast<uint8_t>(generation_);
  mapping->counted = accounts_.in_range();
  if (mapping->site != kNoSite) {
    SiteAccount& site = accounts_.sites()[mapping->site];
    accounts_.add_live(site, touched_bytes, 1);
    if (ranges_ != nullptr) {
      mapping->range_birth = ranges_->allocate(mapping->site, number_, touched_bytes);
    }
    if (mapping->counted) {
      site.allocated_bytes += touched_bytes;
      ++site.allocated_blocks;
    }
    if (mapping->untouched_bytes > 0)
      mapping->untouched_account =
          accounts_.add_untouched(number_, mapping->site, mapping->untouched_bytes);
  }
  mappings_.add(event.address, event.size_bytes, std::move(mapping));
}

void ProcessAccounts::unmap(StreamState& state, uint64_t address, uint64_t size_bytes) {
  state.retired.what = Retired::kMappings;
  state.retired.pieces.clear();
  // Libraries unmap what they have when they are put away, after it was looked at: see
  // find_untouched().
  const bool looked_at =
      resident_memory_ != nullptr && accounts_.now_ticks() > resident_memory_->ticks;
  if (looked_at) compare_mappings();
  for (UnmappedPiece& range : mappings_.remove(address, size_bytes)) {
    Mapping& mapping = *range.mapping;
    const uint64_t mapped = range.end - range.begin;
    const uint64_t untouched = looked_at ? std::min(mapped, mapping.untouched_bytes) : 0;
    const uint64_t bytes = mapped - untouched;
    mapping.live_bytes -= mapped;
    mapping.untouched_bytes -= untouched;
    if (untouched > 0 && mapping.untouched_bytes == 0)
      accounts_.end_untouched_account(mapping.untouched_account);
    Retired::Piece piece{std::move(range), untouched, false, mapping.live_bytes == 0, false, false};
    if (mapping.site != kNoSite) {
      SiteAccount& site = accounts_.sites()[mapping.site];
      accounts_.remove_live(site, bytes, piece.last ? 1 : 0);
      const bool unfreed = outlives_program(mapping.generation);
      if (ranges_ != nullptr) {
        ranges_->remove(mapping.site, number_, mapping.range_birth, bytes, piece.last ? 1 : 0,
                        unfreed);
      }
      if (unfreed) {
        spare(mapping.site, mapping.range_birth, bytes, piece.last ? 1 : 0, mapping.counted,
              nullptr);
        piece.spared = true;
      }
      if (mapping.counted && !unfreed) {
        piece.counted_bytes = true;
        site.freed_bytes += bytes;
        if (piece.last) {
          ++site.freed_blocks;
          if (is_temporary(site, mapping.birth)) {
            piece.temporary = true;
            count_temporary(mapping.site, mapping.range_birth, mapping.touched_bytes, 1);
          }
        }
      }
    }
    state.retired.pieces.push_back(std::move(piece));
  }
}

void ProcessAccounts::undo(StreamState& state) {
  Retired& retired = state.retired;
  switch (std::exchange(retired.what, Retired::kNothing)) {
    case Retired::kNothing:
      break;
    case Retired::kUnmatched:
      --unmatched_frees_;
      break;
    case Retired::kBlock: {
      const auto [slot, replaced] = own_.live.insert(retired.block.address);
      LiveBlock& block = *slot;
      if (replaced) {  // against the format: somebody else has the address
        Retired ignored;
        release(own_, block, range_birth_of(own_, block), ignored);
        ++replaced_blocks_;
      }
      block = retired.block;
      if (block.site == kNoSite) break;
      SiteAccount& site = accounts_.sites()[block.site];
      if (retired.is_sample) undo_sample(block, retired);
      accounts_.add_live(site, block.size_bytes, retired.blocks);
      if (ranges_ != nullptr) {
        own_.live.range_birth(block) = retired.range_birth;
        ranges_->restore(block.site, number_, retired.range_birth, block.size_bytes, retired.blocks,
                         block.counted && !retired.freed);
      }
      if (retired.spared) {
        take_back_spared(block.site, retired.range_birth, block.size_bytes, retired.blocks,
                         block.counted, retired.is_sample ? &retired.sample : nullptr);
      }
      if (retired.freed) {
        site.freed_bytes -= block.size_bytes;
        site.freed_blocks -= retired.blocks;
      }
      if (retired.temporary) {
        uncount_temporary(block.site, retired.range_birth, block.size_bytes, retired.blocks);
      }
      break;
    }
    case Retired::kMappings:
      for (auto piece = retired.pieces.rbegin(); piece != retired.pieces.rend(); ++piece)
        undo_unmap(*piece);
      retired.pieces.clear();
      state.unmapped_heap = false;
      break;
  }
}

void ProcessAccounts::undo_unmap(const Retired::Piece& piece) {
  Mapping& mapping = *piece.range.mapping;
  const uint64_t mapped = piece.range.end - piece.range.begin;
  const uint64_t bytes = mapped - piece.untouched_bytes;
  mappings_.remove(piece.range.begin, mapped);
  mapping.live_bytes += mapped;
  mapping.untouched_bytes += piece.untouched_bytes;
  if (piece.untouched_bytes > 0) accounts_.reopen_untouched_account(mapping.untouched_account);
  mappings_.add(piece.range.begin, mapped, piece.range.mapping);
  if (mapping.site == kNoSite) return;
  SiteAccount& site = accounts_.sites()[mapping.site];
  accounts_.add_live(site, bytes, piece.last ? 1 : 0);
  if (ranges_ != nullptr) {
    ranges_->restore(mapping.site, number_, mapping.range_birth, bytes, piece.last ? 1 : 0,
                     mapping.counted && !piece.counted_bytes);
  }
  if (piece.spared) {
    take_back_spared(mapping.site, mapping.range_birth, bytes, piece.last ? 1 : 0, mapping.counted,
                     nullptr);
  }
  if (!piece.counted_bytes) return;
  site.freed_bytes -= bytes;
  if (piece.last) --site.freed_blocks;
  if (piece.temporary) {
    uncount_temporary(mapping.site, mapping.range_birth, mapping.touched_bytes, 1);
  }
}

void ProcessAccounts::shut_down(bool began) {
  in_shutdown_ = began;
  if (!began) return count_spared_as_freed();
  generation_ = std::min(generation_ + 1, 127u);
  accounts_.add_shutdown(number_);
}

void ProcessAccounts::compare_mappings() {
  if (resident_memory_ == nullptr || mappings_compared_) return;
  mappings_compared_ = true;
  found_untouched_ = find_untouched(mappings_, resident_memory_->ranges);
}

void ProcessAccounts::end_process() {
  compare_mappings();
  accounts_.end_untouched(number_);
  if (ranges_ != nullptr) end_ranges();
  accounts_.end_sites(sites_);
  const bool sampled =
      !own_.samples.empty() || std::ranges::any_of(pools_, [](const auto& numbered) {
        return !numbered.second.samples.empty();
      });
  for (const uint32_t site_number : sites_) {
    SiteAccount& site = accounts_.sites()[site_number];
    if (sampled) accounts_.samples().end_live(site_number, accounts_.peak_epoch());
    accounts_.remove_live(site, site.live_bytes, site.live_blocks);
  }
  own_.live.clear();
  own_.samples.clear();
  pools_.clear();
  mappings_.clear();
}

// The same by time, which takes each block's own.
void ProcessAccounts::end_ranges_of(Blocks& own) {
  own.live.for_each([&](const LiveBlock& block) {
    if (block.site == kNoSite) return;
    const auto sample = own.samples.find(block.address);
    const uint64_t blocks = sample != own.samples.end() ? sample->second.blocks : 1;
    ranges_->remove(block.site, number_, own.live.range_birth(block), block.size_bytes, blocks,
                    true);
  });
}

void ProcessAccounts::end_ranges() {
  end_ranges_of(own_);
  for (auto& [number, blocks] : pools_) end_ranges_of(blocks);
  mappings_.for_each([&](uint64_t bytes, Mapping& mapping) {
    if (mapping.site == kNoSite) return;
    mapping.live_bytes -= bytes;
    const uint64_t untouched = std::min(bytes, mapping.untouched_bytes);
    mapping.untouched_bytes -= untouched;
    ranges_->remove(mapping.site, number_, mapping.range_birth, bytes - untouched,
                    mapping.live_bytes == 0 ? 1 : 0, true);
  });
}

}  // namespace memlens::reader
