#include "reader/events/stream_cursor.h"

#include <algorithm>
#include <string>
#include <utility>

#include "reader/events/sound_streams.h"
#include "reader/file/error.h"

namespace memlens::reader {

StreamCursor::StreamCursor(const Source& source, const EventStream& stream, ChunkQueue& queue,
                           uint32_t number, uint64_t latest_ticks)
    : source_(source),
      stream_(stream),
      queue_(queue),
      number_(number),
      latest_ticks_(latest_ticks) {
  if (!stream_.frames.empty()) {
    epoch_ = stream_.frames[0].order_epoch;
    shared_ = stream_.frames[0].shared_order();
    ticks_ = stream_.frames[0].ticks;
  }
}

StreamCursor::~StreamCursor() { release(); }

bool StreamCursor::pass_control() {
  for (;;) {
    if (next_ == end_ && !refill()) {
      release();
      over_ = true;
      return false;
    }
    const Event& event = *next_;
    if (!is_control(event.type)) return true;
    if (event.type == EventType::kTime) {
      if (event.address > latest_ticks_)
        fail(PayloadError("an event later than the recording's end"));
      ticks_ = std::max(ticks_, event.address);
    } else {
      if (event.address < epoch_) fail(PayloadError("the order epochs of a thread go backwards"));
      epoch_ = event.address;
      shared_ = event.size_bytes == 1;
    }
    ++next_;
  }
}

bool StreamCursor::refill() {
  for (;;) {
    if (current_ != nullptr) {
      if (is_decoded()) {
        if (current_->damage) fail(*current_->damage);
      } else {
        next_ = end_ = batch_.get();
        try {
          end_ += decode(batch_.get(), kBatchEvents);
        } catch (const PayloadError& error) {
          fail(error);
        }
        if (next_ != end_) return true;
      }
      queue_.finish(std::move(current_));
    }
    if (!open_next_frame()) return false;
    if (next_ != end_) return true;
  }
}

// Of a chunk that began in an earlier file the numbers of stacks mean nothing here: those that were
// given there are not known.
size_t StreamCursor::decode(Event* out, size_t capacity) {
  const size_t count = decoder_->decode(out, capacity);
  taken_ += count;
  const FrameRef& frame = current_->frame;
  if (__builtin_expect(!frame.goes_on(), 1)) return count;
  for (Event& event : std::span(out, count)) {
    if (event.type == EventType::kAllocate || event.type == EventType::kAllocateKnown)
      event.type = EventType::kAllocateWide;
    if (event.type == EventType::kAllocateWide || event.type == EventType::kMap)
      event.stack = frame.carried ? kCarriedBlock : 0;
    if (event.type == EventType::kPoolAllocate && frame.carried) event.stamp = kCarriedBlock;
  }
  return count;
}

// What the events that an earlier file has say of those that follow is taken over: epoch, time,
// sampling interval.
void StreamCursor::pass_counted(uint64_t count) {
  Event interval{};
  bool has_interval = false;
  try {
    while (count > 0) {
      if (next_ == end_) {
        next_ = end_ = batch_.get();
        end_ += decode(batch_.get(), kBatchEvents);
        if (next_ == end_) break;
      }
      if (next_->type == EventType::kTime) ticks_ = std::max(ticks_, next_->address);
      if (next_->type == EventType::kEpoch) {
        epoch_ = std::max(epoch_, next_->address);
        shared_ = next_->size_bytes == 1;
      }
      if (next_->type == EventType::kInterval) {
        interval = *next_;
        has_interval = true;
      }
      ++next_;
      --count;
    }
  } catch (const PayloadError& error) {
    fail(error);
  }
  // At the batch's beginning the chunk is at its end, whatever was said of it: nothing follows.
  if (!has_interval || next_ == batch_.get()) return;
  --next_;
  batch_[static_cast<size_t>(next_ - batch_.get())] = interval;
}

bool StreamCursor::place(uint32_t& sequence, uint64_t& events) const {
  if (next_frame_ == 0) {
    if (stream_.frames.empty() || stream_.frames[0].carried) return false;
    sequence = stream_.frames[0].sequence;
    events = stream_.frames[0].counted_events;
    return true;
  }
  const FrameRef& frame = stream_.frames[next_frame_ - 1];
  const bool whole = over_ && !frame.unfinished;
  if (frame.carried) return false;
  sequence = whole ? frame.sequence + 1 : frame.sequence;
  const auto left = static_cast<uint64_t>(end_ - next_);
  events = whole ? 0 : std::max<uint64_t>(taken_ - std::min(left, taken_), frame.counted_events);
  return true;
}

// A chunk that was read unfinished has a longer frame now: its events up to there are known.
void StreamCursor::go_back_to_replaced() {
  if (next_frame_ == 0 || opened_offset_ == UINT64_MAX) return;
  if (stream_.frames[next_frame_ - 1].offset == opened_offset_) return;
  for (auto& job : ahead_) queue_.finish(std::move(job));
  ahead_.clear();
  requested_frames_ = --next_frame_;
  opened_offset_ = UINT64_MAX;
  skip_ = taken_;
}

void StreamCursor::skip_taken() {
  try {
    while (skip_ > 0) {
      const size_t count = decode(batch_.get(), kBatchEvents);
      if (count == 0) break;
      next_ = batch_.get() + std::min<uint64_t>(skip_, count);
      end_ = batch_.get() + count;
      skip_ -= std::min<uint64_t>(skip_, count);
    }
  } catch (const PayloadError& error) {
    fail(error);
  }
  skip_ = 0;
}

bool StreamCursor::resume() {
  if (!over_) return true;
  go_back_to_replaced();
  if (next_frame_ == stream_.frames.size()) return false;
  const FrameRef& frame = stream_.frames[next_frame_];
  if (skip_ == 0) {  // a chunk of its own
    epoch_ = std::max(epoch_, frame.order_epoch);
    ticks_ = std::max(ticks_, frame.ticks);
    shared_ = frame.shared_order();
  }
  requested_frames_ = next_frame_;
  over_ = false;
  return true;
}

size_t StreamCursor::frames_passed() const {
  return ahead_.empty() && next_frame_ > 0 ? next_frame_ - 1 : 0;
}

void StreamCursor::frames_removed(size_t count) {
  next_frame_ -= count;
  requested_frames_ = next_frame_;
}

bool StreamCursor::open_next_frame() {
  go_back_to_replaced();
  if (next_frame_ == stream_.frames.size()) return false;
  ++next_frame_;
  if (!ahead_.empty()) {
    current_ = std::move(ahead_.front());
    ahead_.pop_front();
  } else {
    current_ = queue_.request(stream_.frames[next_frame_ - 1], /*always=*/true);
    requested_frames_ = next_frame_;
  }
  while (ahead_.size() < kFramesAhead && requested_frames_ < stream_.frames.size()) {
    auto job = queue_.request(stream_.frames[requested_frames_], /*always=*/false);
    if (job == nullptr) break;
    ahead_.push_back(std::move(job));
    ++requested_frames_;
  }
  queue_.wait(*current_);
  const FrameRef& frame = current_->frame;  // since then it may have been replaced
  if (frame.ticks > latest_ticks_) fail(PayloadError("it is later than the recording's end"));
  opened_offset_ = frame.unfinished ? frame.offset : UINT64_MAX;
  taken_ = 0;
  if (skip_ == 0) {
    if (frame.order_epoch < epoch_) fail(PayloadError("the order epochs of a thread go backwards"));
    epoch_ = frame.order_epoch;
    shared_ = frame.shared_order();
    ticks_ = std::max(ticks_, frame.ticks);
  }
  if (is_decoded()) {
    next_ = current_->events.events().data();
    end_ = next_ + current_->events.events().size();
    return true;
  }
  if (decoder_ == nullptr) {
    decoder_ = std::make_unique<EventDecoder>();
    batch_ = std::make_unique_for_overwrite<Event[]>(kBatchEvents);
    capacity_ = kBatchEvents;
  }
  next_ = end_ = batch_.get();
  decoder_->start(current_->payload, frame);
  if (skip_ == 0 && frame.counted_events != 0) pass_counted(frame.counted_events);
  skip_taken();
  return true;
}

void StreamCursor::look_ahead() {
  if (is_decoded()) return;
  const auto left = static_cast<size_t>(end_ - next_);
  if (left >= kLongBatchEvents / 2) return;
  if (capacity_ < kLongBatchEvents) {
    auto longer = std::make_unique_for_overwrite<Event[]>(kLongBatchEvents);
    std::copy(next_, end_, longer.get());
    batch_ = std::move(longer);
    capacity_ = kLongBatchEvents;
  } else {
    std::copy(next_, end_, batch_.get());
  }
  next_ = batch_.get();
  end_ = next_ + left;
  try {
    end_ += decode(batch_.get() + left, capacity_ - left);
  } catch (const PayloadError& error) {
    fail(error);
  }
}

StreamCursor::Search StreamCursor::search_rest(EventDecoder& decoder, const Visitor& visit) {
  Event events[kBatchEvents];
  try {
    while (const size_t count = decoder.decode(events, kBatchEvents)) {
      const Search answer = search(std::span(events, count), visit);
      if (answer != Search::kGoOn) return answer;
    }
  } catch (const PayloadError&) {
    return Search::kStop;  // told when the stream gets there
  }
  return Search::kGoOn;
}

StreamCursor::Search StreamCursor::search_undecoded(const Visitor& visit) {
  if (is_decoded()) return current_->damage ? Search::kStop : Search::kGoOn;
  EventDecoder decoder = *decoder_;  // the stream itself goes on from where it is
  return search_rest(decoder, visit);
}

StreamCursor::Search StreamCursor::search_next_chunks(const Visitor& visit) {
  Search answer = Search::kGoOn;
  for (size_t i = 0; answer == Search::kGoOn && i < kFramesSearched; ++i) {
    if (next_frame_ + i == stream_.frames.size()) return Search::kStop;
    const FrameRef& frame = stream_.frames[next_frame_ + i];
    Event epoch{};
    epoch.type = EventType::kEpoch;
    epoch.address = frame.order_epoch;
    epoch.size_bytes = frame.shared_order() ? 1 : 0;
    if (frame.order_epoch != epoch_ && (answer = visit(epoch)) != Search::kGoOn) break;
    while (ahead_.size() <= i) {
      ahead_.push_back(queue_.request(stream_.frames[requested_frames_], /*always=*/true));
      ++requested_frames_;
    }
    ChunkQueue::Job& job = *ahead_[i];
    queue_.wait(job);
    if (job.decoded) {
      answer = search(job.events.events(), visit);
      if (answer == Search::kGoOn && job.damage) answer = Search::kStop;
    } else {
      EventDecoder decoder;
      decoder.start(job.payload, frame);
      answer = search_rest(decoder, visit);
    }
  }
  return answer;
}

uint64_t StreamCursor::latest_ticks() {
  uint64_t ticks = UINT64_MAX;
  const auto find_time = [&](const Event& event) {
    if (event.type != EventType::kTime) return Search::kGoOn;
    ticks = event.address;
    return Search::kFound;
  };
  const auto find_in_batch = [&] {
    const auto count = std::min(static_cast<size_t>(end() - begin()), kLongBatchEvents / 2);
    return search(std::span(begin(), count), find_time) == Search::kFound;
  };
  if (find_in_batch()) return ticks;
  look_ahead();
  if (find_in_batch()) return ticks;
  return next_frame_ < stream_.frames.size() ? stream_.frames[next_frame_].ticks : known_until_;
}

void StreamCursor::release() {
  queue_.finish(std::move(current_));
  for (auto& job : ahead_) queue_.finish(std::move(job));
  ahead_.clear();
  decoder_.reset();
  batch_.reset();
  next_ = end_ = nullptr;
}

void StreamCursor::fail(const PayloadError& error) const {
  const FrameRef& frame = stream_.frames[next_frame_ == 0 ? 0 : next_frame_ - 1];
  throw StreamDamage(source_.path(), frame.offset, std::string("damaged: ") + error.what());
}

}  // namespace memlens::reader
