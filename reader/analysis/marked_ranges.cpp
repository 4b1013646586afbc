#include "reader/analysis/marked_ranges.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "reader/analysis/live_blocks.h"
#include "reader/analysis/mappings.h"
#include "reader/capture/capture_impl.h"
#include "reader/events/event.h"
#include "reader/events/process_merge.h"
#include "reader/events/sound_streams.h"

namespace memlens::reader {

namespace {

// The Sink of a ProcessMerge: the ranges of one process. A block's `birth` is how many ranges had
// begun before it, so it belongs to those open ranges whose own number is not larger.
class RangeAccounts {
 public:
  // `ranges`: by their beginning.
  explicit RangeAccounts(std::vector<MarkedRange*> ranges) : ranges_(std::move(ranges)) {
    set_next_ticks();
  }

  uint32_t add_stream() {
    threads_.emplace_back();
    return static_cast<uint32_t>(threads_.size() - 1);
  }

  // ---- Sink
  void set_time(uint64_t ticks) {
    while (__builtin_expect(ticks > next_ticks_, 0)) pass_moment();
  }
  bool finished() const { return open_.empty() && begun_ == ranges_.size(); }
  void set_order_exact(bool) {}
  void prefetch(uint32_t, const Event*, const Event*) const {}
  void end_stream(uint32_t stream) { threads_[stream] = {}; }

  const Event* apply_run(uint32_t stream, const Event* begin, const Event* end) {
    const Event* event = begin;
    if (open_.empty()) {  // of no range, and nothing is known that it could give back
      while (event != end && !is_control(event->type)) ++event;
      return event;
    }
    for (; event != end && !is_control(event->type); ++event) apply(stream, *event);
    return event;
  }

  bool try_apply(uint32_t stream, const Event& event) {
    if (event.type == EventType::kUnmap && !mappings_.covers(event.address, event.size_bytes))
      return false;
    if (event.type == EventType::kFree && live_.find(event.address) == nullptr) return false;
    apply(stream, event);
    return true;
  }

  void apply(uint32_t stream, const Event& event) {
    Thread& thread = threads_[stream];
    switch (event.type) {
      case EventType::kAllocate:
      case EventType::kAllocateKnown:
      case EventType::kAllocateWide:
        return allocate(event);
      case EventType::kFree:
        return free(thread, event.address);
      case EventType::kMap:
        return map(thread, event);
      case EventType::kUnmap:
        unmap(thread, event.address, event.size_bytes);
        thread.unmapped_heap = !thread.pieces.empty();
        return;
      case EventType::kUndo:
        return undo(thread);
      case EventType::kPoolAllocate:
        return open_.empty() ? void() : allocate_in(pools_[event.stack], event);
      case EventType::kPoolFree:
        return free_in_pool(event);
      case EventType::kPoolReset:
        return reset_pool(event.stack);
      default:
        return;
    }
  }

 private:
  struct Open {
    MarkedRange* range;
    uint32_t number;
    uint64_t bytes = 0;
    uint64_t blocks = 0;
  };
  // What the thread gave back last.
  struct Thread {
    std::optional<LiveBlock> block;
    std::vector<UnmappedPiece> pieces;
    bool unmapped_heap = false;
  };

  void pass_moment() {
    const uint64_t now = next_ticks_;
    std::erase_if(open_, [&](const Open& open) {
      if (open.range->to_ticks > now) return false;
      open.range->leaked_bytes = open.bytes;
      open.range->leaked_blocks = open.blocks;
      return true;
    });
    // What is alive belongs to no range any more.
    if (open_.empty()) forget_blocks();
    while (begun_ < ranges_.size() && ranges_[begun_]->from_ticks <= now) {
      MarkedRange* range = ranges_[begun_++];
      if (range->to_ticks > now) open_.push_back({range, static_cast<uint32_t>(begun_)});
    }
    set_next_ticks();
  }

  void set_next_ticks() {
    next_ticks_ = begun_ < ranges_.size() ? ranges_[begun_]->from_ticks : UINT64_MAX;
    for (const Open& open : open_) next_ticks_ = std::min(next_ticks_, open.range->to_ticks);
  }

  void forget_blocks() {
    live_.clear();
    pools_.clear();
    mappings_.clear();
    for (Thread& thread : threads_) thread = {};  // an undo later is of something else
  }

  void add(uint32_t birth, uint64_t bytes, uint64_t blocks) {
    for (Open& open : open_) {
      if (open.number > birth) continue;
      open.bytes += bytes;
      open.blocks += blocks;
      if (open.bytes <= open.range->peak_bytes) continue;
      open.range->peak_bytes = open.bytes;
      open.range->peak_blocks = open.blocks;
    }
  }
  void remove(uint32_t birth, uint64_t bytes, uint64_t blocks) {
    for (Open& open : open_) {
      if (open.number > birth) continue;
      open.bytes -= bytes;
      open.blocks -= blocks;
    }
  }

  void count(uint64_t bytes) {
    for (Open& open : open_) {
      ++open.range->allocations;
      open.range->allocated_bytes += bytes;
    }
  }

  void allocate(const Event& event) { allocate_in(live_, event); }

  void allocate_in(LiveBlocks& blocks, const Event& event) {
    if (open_.empty()) return;
    const auto [block, replaced] = blocks.insert(event.address);
    if (replaced) remove(block->birth, block->size_bytes, 1);
    *block = {};
    block->address = event.address;
    block->size_bytes = event.size_bytes;
    block->birth = static_cast<uint32_t>(begun_);
    count(event.size_bytes);
    add(block->birth, event.size_bytes, 1);
  }

  void free(Thread& thread, uint64_t address) {
    thread.pieces.clear();
    thread.block.reset();
    const LiveBlock* block = live_.find(address);
    if (block == nullptr) return;
    thread.block = *block;
    live_.erase(block);
    remove(thread.block->birth, thread.block->size_bytes, 1);
  }

  void free_in_pool(const Event& event) {
    const auto blocks = pools_.find(event.stack);
    const LiveBlock* block = blocks == pools_.end() ? nullptr : blocks->second.find(event.address);
    if (block == nullptr) return;
    remove(block->birth, block->size_bytes, 1);
    blocks->second.erase(block);
    if (blocks->second.size() == 0) pools_.erase(blocks);
  }

  void reset_pool(uint32_t pool) {
    const auto blocks = pools_.find(pool);
    if (blocks == pools_.end()) return;
    blocks->second.for_each(
        [&](const LiveBlock& block) { remove(block.birth, block.size_bytes, 1); });
    pools_.erase(blocks);
  }

  void map(Thread& thread, const Event& event) {
    unmap(thread, event.address, event.size_bytes);
    thread.pieces.clear();
    if (open_.empty()) return;
    // mremap moves files, shared memory and reservations too: heap is what was heap before.
    if (event.kind == format::AllocationKind::kMremap && !thread.unmapped_heap) return;
    auto mapping = std::make_shared<Mapping>();
    mapping->live_bytes = event.size_bytes;
    mapping->birth = static_cast<uint32_t>(begun_);
    count(event.size_bytes);
    add(mapping->birth, event.size_bytes, 1);
    mappings_.add(event.address, event.size_bytes, std::move(mapping));
  }

  void unmap(Thread& thread, uint64_t address, uint64_t size_bytes) {
    thread.block.reset();
    thread.pieces = mappings_.remove(address, size_bytes);
    for (const UnmappedPiece& piece : thread.pieces) {
      Mapping& mapping = *piece.mapping;
      const uint64_t bytes = piece.end - piece.begin;
      mapping.live_bytes -= bytes;
      remove(mapping.birth, bytes, mapping.live_bytes == 0 ? 1 : 0);
    }
  }

  void undo(Thread& thread) {
    if (thread.block) {
      const auto [block, replaced] = live_.insert(thread.block->address);
      if (replaced) remove(block->birth, block->size_bytes, 1);
      *block = *thread.block;
      add(block->birth, block->size_bytes, 1);
      thread.block.reset();
    }
    for (const UnmappedPiece& piece : thread.pieces) {
      Mapping& mapping = *piece.mapping;
      const uint64_t bytes = piece.end - piece.begin;
      add(mapping.birth, bytes, mapping.live_bytes == 0 ? 1 : 0);
      mapping.live_bytes += bytes;
      mappings_.remove(piece.begin, bytes);
      mappings_.add(piece.begin, bytes, piece.mapping);
    }
    if (!thread.pieces.empty()) thread.unmapped_heap = false;
    thread.pieces.clear();
  }

 public:
  // There are no more events: what is open ends here.
  void finish() {
    for (const Open& open : open_) {
      open.range->leaked_bytes = open.bytes;
      open.range->leaked_blocks = open.blocks;
    }
  }

 private:
  std::vector<MarkedRange*> ranges_;
  std::vector<Open> open_;
  size_t begun_ = 0;
  uint64_t next_ticks_ = UINT64_MAX;  // a range begins or ends after it
  LiveBlocks live_;
  std::unordered_map<uint32_t, LiveBlocks> pools_;  // by number
  Mappings mappings_;
  std::vector<Thread> threads_;
};

void measure_process(const Capture::Impl& impl, ChunkQueue& queue, uint32_t process,
                     std::vector<MarkedRange*> ranges) {
  const uint64_t from_ticks = ranges.front()->from_ticks;  // they are by their beginning
  uint64_t to_ticks = 0;
  for (const MarkedRange* range : ranges) to_ticks = std::max(to_ticks, range->to_ticks);
  // What comes before and after the ranges, as the imports of a test suite do, is not read.
  std::deque<EventStream> parts;
  RangeAccounts accounts(std::move(ranges));
  ProcessMerge<RangeAccounts> merge(accounts);
  for (const EventStream& stream : impl.readable_streams()) {
    if (stream.process != process) continue;
    parts.push_back(chunks_between(stream, from_ticks, to_ticks));
    merge.add_stream(std::make_unique<StreamCursor>(impl.source, parts.back(), queue,
                                                    accounts.add_stream(), impl.latest_ticks));
  }
  while (merge.run_until(UINT64_MAX)) {
  }
  accounts.finish();
}

void measure(const Capture::Impl& impl, std::vector<MarkedRange>& ranges) {
  std::map<uint32_t, std::vector<MarkedRange*>> by_process;
  for (MarkedRange& range : ranges) {
    range.peak_bytes = range.peak_blocks = range.allocations = range.allocated_bytes = 0;
    by_process[range.process_index].push_back(&range);
  }
  ChunkQueue queue(impl.source);
  for (auto& [process, own] : by_process) measure_process(impl, queue, process, std::move(own));
}

}  // namespace

std::vector<MarkedRange> find_ranges(const Capture& capture) {
  const Capture::Impl& impl = capture.impl();
  std::vector<MarkedRange> ranges;
  for (const auto& [process, metadata] : impl.metadata) {
    std::vector<MarkRecord> marks = metadata.marks;
    std::ranges::stable_sort(marks, {}, &MarkRecord::ticks);
    std::map<std::string_view, std::vector<size_t>> open;  // places in `ranges`, by name
    for (const MarkRecord& mark : marks) {
      const bool ends = mark.name.ends_with(kRangeEndSuffix);
      const auto begun =
          ends ? open.find(mark.name.substr(0, mark.name.size() - kRangeEndSuffix.size()))
               : open.end();
      if (begun != open.end() && !begun->second.empty()) {
        MarkedRange& range = ranges[begun->second.back()];
        begun->second.pop_back();
        range.to_ticks = mark.ticks;
        range.to_seconds = std::max(0.0, impl.clock.seconds_at(mark.ticks));
        continue;
      }
      MarkedRange range;
      range.name = mark.name;
      range.process_index = process;
      range.from_ticks = mark.ticks;
      range.from_seconds = std::max(0.0, impl.clock.seconds_at(mark.ticks));
      open[mark.name].push_back(ranges.size());
      ranges.push_back(std::move(range));
    }
    // A mark without an end is a moment, and no range; but the last one may be running.
    if (!marks.empty()) {
      const uint64_t last = marks.back().ticks;
      std::erase_if(ranges, [&, index = process](const MarkedRange& range) {
        return range.process_index == index && !range.to_seconds && range.from_ticks != last;
      });
    }
  }
  std::ranges::stable_sort(ranges, {}, &MarkedRange::from_ticks);
  return ranges;
}

void measure_ranges(const Capture& capture, std::vector<MarkedRange>& ranges) {
  const Capture::Impl& impl = capture.impl();
  try {
    measure(impl, ranges);
  } catch (const StreamDamage&) {
    impl.leave_out_damaged_chunks();
    measure(impl, ranges);
  }
}

}  // namespace memlens::reader
