// The events of one process's threads, put into the order they happened in. FORMAT.md, "Order".
//
// Epochs are totally ordered, so the streams wait in a heap by the epoch of what they hold next.
// In an owner epoch one stream runs alone, at full speed. In a shared epoch the streams run by
// time, as far as the stamps let them:
//
//   an allocation waits until its shard's counter has reached its stamp, a free likewise, and then
//   increments it: this alone puts an allocation after the free that gave its address back;
//   a free whose block is not there yet waits for the allocation in another stream, since an
//   allocation does not move the counter. The wait ends when no other stream can still hold the
//   allocation: all are past the time by which the free had happened, or none can go on and the
//   allocation is not in sight. Then the block was never recorded (older than the recording, or
//   inherited by fork);
//   what is said of a pool of the program's increments its shard's counter, allocations included,
//   and so has its exact place without a search;
//   an undo, which has no stamp, follows its free at once, so that nobody sees the block freed.
//
// A stream is opened only when its time has come, so a program with a hundred thousand short
// threads does not cost a hundred thousand open chunks.
//
// Stamps that never come (events lost with a killed thread or a damaged chunk) would stop every
// stream; the earliest is then let through and its shard's counter set to its stamp.
//
// Sink, by template so that nothing is called through a pointer for each event:
//   void set_time(uint64_t ticks);                  what follows happened then
//   bool finished();                                no more is wanted; asked after set_time
//   void set_order_exact(bool);                     whether the order of what follows is certain
//   const Event* apply_run(uint32_t stream, const Event* begin, const Event* end);
//       takes events up to a control event or the end, and returns where it stopped
//   bool try_apply(uint32_t stream, const Event&);  false: it gives back what is not live (yet)
//   void apply(uint32_t stream, const Event&);      whether live or not
//   void prefetch(uint32_t stream, const Event* next, const Event* end);   they come soon
//   void end_stream(uint32_t stream);               it has no more events
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "interposer/format/event_codec.h"
#include "reader/events/stream_cursor.h"

namespace memlens::reader {

template <typename Sink>
class ProcessMerge {
 public:
  explicit ProcessMerge(Sink& sink) : sink_(sink) {}

  void add_stream(std::unique_ptr<StreamCursor> stream) {
    next_ticks_ = std::min(next_ticks_, stream->ticks());
    push(std::move(stream));
  }

  // The capture grows: streams that are over for now are kept for resume().
  void keep_streams() { keeps_streams_ = true; }
  // Goes on with streams that have more now.
  void resume() {
    // Those of an epoch that was begun as well: another stream may bring an earlier one. They wait
    // anew where they still have to.
    for (Active& active : active_) push(std::move(active.stream));
    active_.clear();
    std::memset(shard_waiters_, 0, sizeof shard_waiters_);
    block_waiters_ = 0;
    std::vector<std::unique_ptr<StreamCursor>> still_over;
    for (auto& stream : over_) {
      // Its epoch must be known: one taken for an earlier one would end the present one.
      if (stream->resume() && stream->position()) {
        push(std::move(stream));
      } else {
        still_over.push_back(std::move(stream));
      }
    }
    over_ = std::move(still_over);
    next_ticks_ = UINT64_MAX;
    for (const auto& stream : heap_) next_ticks_ = std::min(next_ticks_, stream->ticks());
  }
  // Of all streams.
  template <typename Visit>
  void visit_streams(Visit&& visit) {
    for (auto& stream : heap_) visit(*stream);
    for (Active& active : active_) visit(*active.stream);
    for (auto& stream : over_) visit(*stream);
  }

  // The recording's earlier file ended in this epoch, with the shards' counters there (none: it was
  // no shared one).
  void go_on_from(uint64_t epoch, const std::vector<uint32_t>& counters) {
    first_epoch_ = epoch;
    first_counters_ = counters;
  }
  // The same, as of now.
  uint64_t epoch() const { return std::max(begun_ ? epoch_ : 0, first_epoch_); }
  std::vector<uint32_t> counters() const {
    if (!begun_ || epoch_ < first_epoch_) return first_counters_;
    if (!shared_ || !has_counters_) return {};
    return {std::begin(counters_), std::end(counters_)};
  }

  // A lower bound of the time of what comes next; UINT64_MAX: there is nothing.
  uint64_t next_ticks() const { return next_ticks_; }

  // Applies everything up to the time `limit_ticks`. False: there is no more.
  bool run_until(uint64_t limit_ticks) {
    for (;;) {
      if (active_.empty() && !start_epoch()) return false;
      const bool reached_limit =
          shared_ ? run_shared(limit_ticks) : run_owner(*active_.front().stream, limit_ticks);
      if (sink_.finished()) return false;
      if (reached_limit) return true;
    }
  }

  // Events let through against their stamps. In a sound capture there are none.
  uint64_t forced_events() const { return forced_events_; }

 private:
  using Search = StreamCursor::Search;

  // What may be spent on searches. Real captures need a small part of it; one in which every free
  // looked through all other threads in vain would be read for ever.
  static constexpr uint64_t kSearchedAtLeast = 100'000'000;
  static constexpr uint64_t kSearchedPerEvent = 64;

  enum class Wait : uint8_t { kNone, kForShard, kForBlock };

  struct Active {
    std::unique_ptr<StreamCursor> stream;
    Wait wait = Wait::kNone;
    unsigned shard = 0;         // kForShard
    uint32_t stamp = 0;         // kForShard
    uint64_t latest_ticks = 0;  // kForBlock: the free had happened by then
    bool searched = false;      // kForBlock
  };

  // For std heap functions: the smallest (epoch, time) is on top.
  static bool runs_later(const std::unique_ptr<StreamCursor>& a,
                         const std::unique_ptr<StreamCursor>& b) {
    return a->epoch() != b->epoch() ? a->epoch() > b->epoch() : a->ticks() > b->ticks();
  }

  static bool reached(uint32_t counter, uint32_t stamp) {
    return static_cast<int32_t>(counter - stamp) >= 0;  // both wrap
  }

  void push(std::unique_ptr<StreamCursor> stream) {
    heap_.push_back(std::move(stream));
    std::push_heap(heap_.begin(), heap_.end(), runs_later);
  }

  std::unique_ptr<StreamCursor> pop() {
    std::pop_heap(heap_.begin(), heap_.end(), runs_later);
    auto stream = std::move(heap_.back());
    heap_.pop_back();
    return stream;
  }

  // Enters the epoch that comes next. False: nothing is left.
  bool start_epoch() {
    while (!heap_.empty()) {
      // Streams of the last epoch may have been opened after all others had left it.
      const bool is_new = !begun_ || heap_.front()->epoch() != epoch_;
      if (is_new) has_counters_ = false;
      begun_ = true;
      epoch_ = heap_.front()->epoch();
      if (!activate_front()) continue;
      shared_ = active_.front().stream->shared();
      if (shared_ && !has_counters_) {
        has_counters_ = true;
        std::memset(counters_, 0, sizeof counters_);
        if (epoch_ == first_epoch_ && !first_counters_.empty())
          std::copy(first_counters_.begin(), first_counters_.end(), counters_);
        std::memset(shard_waiters_, 0, sizeof shard_waiters_);
        block_waiters_ = 0;
      }
      return true;
    }
    return false;
  }

  // Opens the heap's first stream. False: it has nothing in this epoch.
  bool activate_front() {
    auto stream = pop();
    if (!stream->position()) {
      end(std::move(stream));
      return false;
    }
    if (stream->epoch() != epoch_) {  // only control records were left
      push(std::move(stream));
      return false;
    }
    active_.push_back({std::move(stream)});
    return true;
  }

  // Of the streams of this epoch that are not open yet, the earliest one's time.
  uint64_t unopened_ticks() const {
    return !heap_.empty() && heap_.front()->epoch() == epoch_ ? heap_.front()->ticks() : UINT64_MAX;
  }
  bool has_unopened() const { return !heap_.empty() && heap_.front()->epoch() == epoch_; }

  // Positions the stream, and applies an undo that stands there, whatever epoch that one is in.
  // False: the stream is over.
  bool pass_undo(StreamCursor& stream) {
    for (;;) {
      if (!stream.position()) return false;
      if (stream.begin()->type != EventType::kUndo) return true;
      sink_.apply(stream.number(), *stream.begin());
      stream.consume_until(stream.begin() + 1);
    }
  }

  void end(std::unique_ptr<StreamCursor> stream) {
    if (keeps_streams_) {
      over_.push_back(std::move(stream));
    } else {
      sink_.end_stream(stream->number());
    }
  }

  // The stream has left the epoch, or is over.
  void deactivate(size_t index) {
    if (active_[index].stream->over()) {
      end(std::move(active_[index].stream));
    } else {
      push(std::move(active_[index].stream));
    }
    active_[index] = std::move(active_.back());
    active_.pop_back();
  }

  bool run_owner(StreamCursor& stream, uint64_t limit_ticks) {
    sink_.set_order_exact(true);
    for (;;) {
      if (stream.ticks() > limit_ticks) {
        next_ticks_ = stream.ticks();
        return true;
      }
      sink_.set_time(stream.ticks());
      if (sink_.finished()) return false;
      stream.consume_until(sink_.apply_run(stream.number(), stream.begin(), stream.end()));
      if (!pass_undo(stream) || stream.epoch() != epoch_) {
        deactivate(0);
        return false;
      }
    }
  }

  bool run_shared(uint64_t limit_ticks) {
    while (!active_.empty()) {
      const size_t chosen = choose();
      if (chosen == SIZE_MAX) break;
      if (active_[chosen].stream->ticks() > limit_ticks) {
        next_ticks_ = active_[chosen].stream->ticks();
        return true;
      }
      sink_.set_order_exact(active_.size() == 1 && !has_unopened());
      run_chosen(chosen, limit_ticks);
      if (sink_.finished()) return false;
    }
    return false;
  }

  // The stream to go on with: the earliest that can. Ends waits that nothing can end any more.
  // SIZE_MAX: the last stream has left the epoch.
  size_t choose() {
    for (;;) {
      size_t ready = SIZE_MAX;
      size_t oldest_block = SIZE_MAX;
      size_t oldest_shard = SIZE_MAX;
      const auto older = [&](size_t i, size_t than) {
        return than == SIZE_MAX || active_[i].stream->ticks() < active_[than].stream->ticks();
      };
      for (size_t i = 0; i < active_.size(); ++i) {
        size_t& best = active_[i].wait == Wait::kNone       ? ready
                       : active_[i].wait == Wait::kForShard ? oldest_shard
                                                            : oldest_block;
        if (older(i, best)) best = i;
      }
      const uint64_t open_until =
          ready != SIZE_MAX ? active_[ready].stream->ticks() : latest_of_waiting(oldest_shard);
      if (has_unopened() && unopened_ticks() <= open_until) {
        activate_front();
      } else if (const size_t given_up = block_to_give_up(oldest_block, ready);
                 given_up != SIZE_MAX) {
        give_up_on_block(given_up);
        if (active_.empty()) return SIZE_MAX;
      } else if (ready != SIZE_MAX) {
        return ready;
      } else {
        Active& stalled = active_[oldest_shard];
        ++forced_events_;
        counters_[stalled.shard] = stalled.stamp;
        wake_shard(stalled.shard);
      }
    }
  }

  bool others_are_past(size_t waiting) const {
    const uint64_t latest_ticks = active_[waiting].latest_ticks;
    if (unopened_ticks() <= latest_ticks) return false;
    for (size_t i = 0; i < active_.size(); ++i) {
      if (i != waiting && active_[i].stream->ticks() <= latest_ticks) return false;
    }
    return true;
  }

  // Streams that begin before what is waiting happened may be what it waits for.
  uint64_t latest_of_waiting(size_t oldest_shard) {
    uint64_t ticks = oldest_shard != SIZE_MAX ? active_[oldest_shard].stream->latest_ticks() : 0;
    for (const Active& active : active_) {
      if (active.wait == Wait::kForBlock) ticks = std::max(ticks, active.latest_ticks);
    }
    return ticks;
  }

  // A stream whose free has no allocation to wait for; SIZE_MAX: none, or not certain yet.
  size_t block_to_give_up(size_t oldest_block, size_t ready) {
    if (oldest_block == SIZE_MAX) return SIZE_MAX;
    if (others_are_past(oldest_block)) return oldest_block;
    const bool none_ready = ready == SIZE_MAX;
    if (none_ready && block_waiters_ == 1) return oldest_block;
    // Streams that can go on, and are past the free, cannot bring the allocation; of all that wait
    // for each other, then, one waits in vain. And where a wait holds up another stream, we look
    // once whether there is anything to wait for, lest that one falls behind the others.
    const uint64_t ready_ticks = none_ready ? UINT64_MAX : active_[ready].stream->ticks();
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < active_.size(); ++i) {
      Active& active = active_[i];
      if (active.wait != Wait::kForBlock) continue;
      if (best != SIZE_MAX && active.stream->ticks() >= active_[best].stream->ticks()) continue;
      const bool stuck = none_ready || active.latest_ticks < ready_ticks;
      if (!stuck && (active.searched || !holds_up(i, ready_ticks))) continue;
      active.searched = true;
      const Search found = search_allocation(i);
      if (found == Search::kStop || (stuck && found == Search::kGoOn)) best = i;
    }
    return best == SIZE_MAX && none_ready ? oldest_block : best;
  }

  // Whether a stream that should run before `ticks` waits for the free that stream `waiting` has
  // next.
  bool holds_up(size_t waiting, uint64_t ticks) const {
    const unsigned shard = shard_of(*active_[waiting].stream->begin());
    if (shard_waiters_[shard] == 0) return false;
    return std::any_of(active_.begin(), active_.end(), [&](const Active& active) {
      return active.wait == Wait::kForShard && active.shard == shard &&
             active.stream->ticks() <= ticks;
    });
  }

  // Looks for the allocation a stream waits for in what the others have next. kStop: it is not
  // there; kGoOn: not to be known yet.
  Search search_allocation(size_t waiting) {
    const Event free = *active_[waiting].stream->begin();
    const uint64_t latest_ticks = active_[waiting].latest_ticks;
    const unsigned shard = shard_of(free);
    const auto look_at = [&](const Event& event) {
      ++searched_events_;
      if (event.type == EventType::kEpoch) return Search::kStop;
      if (event.type == EventType::kTime)
        return event.address > latest_ticks ? Search::kStop : Search::kGoOn;
      if (!has_address(event.type) || shard_of(event) != shard) return Search::kGoOn;
      if (!reached(free.stamp, event.stamp)) return Search::kStop;  // it came after the free
      return gives(event, free) ? Search::kFound : Search::kGoOn;
    };
    Search result = unopened_ticks() <= latest_ticks ? Search::kGoOn : Search::kStop;
    for (size_t i = 0; i < active_.size(); ++i) {
      if (i == waiting) continue;
      if (searched_events_ > kSearchedAtLeast + kSearchedPerEvent * run_events_)
        return Search::kGoOn;
      const Search found = active_[i].stream->search_ahead(look_at);
      if (found == Search::kFound) return found;
      if (found == Search::kGoOn) result = found;
    }
    return result;
  }

  void give_up_on_block(size_t index) {
    Active& active = active_[index];
    active.wait = Wait::kNone;
    --block_waiters_;
    StreamCursor& stream = *active.stream;
    const Event& event = *stream.begin();
    sink_.set_time(stream.ticks());
    sink_.apply(stream.number(), event);
    pass_free(event);
    stream.consume_until(stream.begin() + 1);
    next_event(index);
  }

  // Runs until the stream has to wait, leaves the epoch, or is later than another that could run.
  void run_chosen(size_t index, uint64_t limit_ticks) {
    uint64_t turn_ends = std::min(limit_ticks, unopened_ticks());
    for (size_t i = 0; i < active_.size(); ++i) {
      if (i != index && active_[i].wait == Wait::kNone)
        turn_ends = std::min(turn_ends, active_[i].stream->ticks());
    }
    woken_ = false;
    StreamCursor& stream = *active_[index].stream;
    do {
      ++run_events_;
      sink_.set_time(stream.ticks());
      if (sink_.finished()) return;
      const Event& event = *stream.begin();
      sink_.prefetch(stream.number(), &event, stream.end());
      switch (event.type) {
        case EventType::kAllocate:
        case EventType::kAllocateKnown:
        case EventType::kAllocateWide:
        case EventType::kMap: {
          const unsigned shard = shard_of(event);
          if (!reached(counters_[shard], event.stamp)) {
            wait_for_shard(active_[index], shard, event.stamp);
            return;
          }
          sink_.apply(stream.number(), event);
          if (block_waiters_ > 0) wake_block(event);
          break;
        }
        case EventType::kFree:
        case EventType::kUnmap: {
          const unsigned shard = shard_of(event);
          if (!reached(counters_[shard], event.stamp)) {
            wait_for_shard(active_[index], shard, event.stamp);
            return;
          }
          if (active_.size() == 1 && !has_unopened()) {
            sink_.apply(stream.number(), event);
          } else if (!sink_.try_apply(stream.number(), event)) {
            wait_for_block(active_[index]);
            return;
          }
          pass_free(event);
          break;
        }
        case EventType::kPoolAllocate:
        case EventType::kPoolFree:
        case EventType::kPoolReset: {
          const unsigned shard = shard_of(event);
          if (!reached(counters_[shard], event.stamp)) {
            wait_for_shard(active_[index], shard, event.stamp);
            return;
          }
          sink_.apply(stream.number(), event);
          pass_free(event);
          break;
        }
        default:
          sink_.apply(stream.number(), event);
          break;
      }
      stream.consume_until(&event + 1);
      if (!next_event(index)) return;
    } while (stream.ticks() <= turn_ends && !woken_);
  }

  // False: the stream is no longer active.
  bool next_event(size_t index) {
    StreamCursor& stream = *active_[index].stream;
    if (pass_undo(stream) && stream.epoch() == epoch_) return true;
    deactivate(index);
    return false;
  }

  static bool has_address(EventType type) {
    return type < EventType::kUndo || type == EventType::kMap || type == EventType::kUnmap;
  }

  // Whether `event` allocates what `free` gives back.
  static bool gives(const Event& event, const Event& free) {
    if (free.type == EventType::kUnmap)
      return event.type == EventType::kMap && event.address < free.address + free.size_bytes &&
             free.address < event.address + event.size_bytes;
    return event.type <= EventType::kAllocateWide && event.address == free.address;
  }

  static unsigned shard_of(const Event& event) {
    if (event.type >= EventType::kPoolAllocate && event.type <= EventType::kPoolReset)
      return format::shard_of_pool(event.stack);
    return event.type == EventType::kMap || event.type == EventType::kUnmap
               ? format::kMappingShard
               : format::shard_of(event.address);
  }

  void pass_free(const Event& event) {
    const unsigned shard = shard_of(event);
    if (!reached(counters_[shard], event.stamp + 1)) counters_[shard] = event.stamp + 1;
    if (shard_waiters_[shard] > 0) wake_shard(shard);
  }

  void wait_for_shard(Active& active, unsigned shard, uint32_t stamp) {
    active.wait = Wait::kForShard;
    active.shard = shard;
    active.stamp = stamp;
    ++shard_waiters_[shard];
  }

  void wait_for_block(Active& active) {
    active.wait = Wait::kForBlock;
    active.searched = false;
    active.latest_ticks = active.stream->latest_ticks();
    ++block_waiters_;
  }

  void wake_shard(unsigned shard) {
    for (Active& active : active_) {
      if (active.wait == Wait::kForShard && active.shard == shard &&
          reached(counters_[shard], active.stamp)) {
        active.wait = Wait::kNone;
        --shard_waiters_[shard];
        woken_ = true;
      }
    }
  }

  void wake_block(const Event& allocation) {
    for (Active& active : active_) {
      if (active.wait != Wait::kForBlock) continue;
      if (gives(allocation, *active.stream->begin())) {
        active.wait = Wait::kNone;
        --block_waiters_;
        woken_ = true;
      }
    }
  }

  Sink& sink_;
  std::vector<std::unique_ptr<StreamCursor>> heap_;  // smallest (epoch, time) first
  std::vector<Active> active_;                       // the streams in epoch_
  std::vector<std::unique_ptr<StreamCursor>> over_;  // for now
  bool keeps_streams_ = false;
  uint64_t epoch_ = 0;
  uint64_t first_epoch_ = 0;              // of this file, and
  std::vector<uint32_t> first_counters_;  // its counters then
  bool shared_ = false;
  uint64_t next_ticks_ = UINT64_MAX;
  bool begun_ = false;
  bool has_counters_ = false;  // the counters are those of epoch_
  bool woken_ = false;         // another stream can go on since the turn began
  uint64_t forced_events_ = 0;
  uint64_t run_events_ = 0;       // in shared epochs
  uint64_t searched_events_ = 0;  // while looking for allocations
  uint32_t block_waiters_ = 0;
  uint32_t counters_[format::kShardCount] = {};
  uint32_t shard_waiters_[format::kShardCount] = {};
};

}  // namespace memlens::reader
