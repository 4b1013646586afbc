#include "reader/stream_cursor.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "reader/error.h"

namespace memlens::reader {

StreamCursor::StreamCursor(const Source& source, const EventStream& stream, PayloadQueue& queue,
                           uint32_t number)
    : source_(source), stream_(stream), queue_(queue), number_(number) {
  if (!stream_.frames.empty()) {
    epoch_ = stream_.frames[0].order_epoch;
    shared_ = stream_.frames[0].shared_order();
    ticks_ = stream_.frames[0].ticks;
  }
}

StreamCursor::~StreamCursor() { release(); }

bool StreamCursor::position() {
  for (;;) {
    if (next_ == count_ && !refill()) {
      release();
      over_ = true;
      return false;
    }
    const Event& event = batch_[next_];
    if (!is_control(event.type)) return true;
    if (event.type == EventType::kTime) {
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
      try {
        next_ = 0;
        count_ = decoder_->decode(batch_.get(), kBatchEvents);
      } catch (const PayloadError& error) {
        fail(error);
      }
      if (count_ > 0) return true;
      queue_.finish(std::move(current_));
    }
    if (!open_next_frame()) return false;
  }
}

bool StreamCursor::open_next_frame() {
  if (next_frame_ == stream_.frames.size()) return false;
  if (decoder_ == nullptr) {
    decoder_ = std::make_unique<EventDecoder>();
    batch_ = std::make_unique_for_overwrite<Event[]>(kBatchEvents);
    capacity_ = kBatchEvents;
  }
  const FrameRef& frame = stream_.frames[next_frame_++];
  if (!ahead_.empty()) {
    current_ = std::move(ahead_.front());
    ahead_.pop_front();
  } else {
    current_ = queue_.request(frame, /*always=*/true);
    requested_frames_ = next_frame_;
  }
  while (ahead_.size() < kFramesAhead && requested_frames_ < stream_.frames.size()) {
    auto job = queue_.request(stream_.frames[requested_frames_], /*always=*/false);
    if (job == nullptr) break;
    ahead_.push_back(std::move(job));
    ++requested_frames_;
  }
  queue_.wait(*current_);
  if (frame.order_epoch < epoch_) fail(PayloadError("the order epochs of a thread go backwards"));
  epoch_ = frame.order_epoch;
  shared_ = frame.shared_order();
  ticks_ = std::max(ticks_, frame.ticks);
  decoder_->start(current_->payload, frame.ticks, shared_);
  return true;
}

void StreamCursor::look_ahead() {
  if (count_ - next_ >= kLongBatchEvents / 2) return;
  if (capacity_ < kLongBatchEvents) {
    auto longer = std::make_unique_for_overwrite<Event[]>(kLongBatchEvents);
    std::copy(batch_.get() + next_, batch_.get() + count_, longer.get());
    batch_ = std::move(longer);
    capacity_ = kLongBatchEvents;
  } else {
    std::copy(batch_.get() + next_, batch_.get() + count_, batch_.get());
  }
  count_ -= next_;
  next_ = 0;
  try {
    count_ += decoder_->decode(batch_.get() + count_, capacity_ - count_);
  } catch (const PayloadError& error) {
    fail(error);
  }
}

StreamCursor::Search StreamCursor::search_undecoded(
    const std::function<Search(const Event&)>& visit) {
  Event events[kBatchEvents];
  EventDecoder decoder = *decoder_;  // the stream itself goes on from where it is
  const auto search_chunk = [&] {
    while (const size_t count = decoder.decode(events, kBatchEvents)) {
      for (size_t i = 0; i < count; ++i) {
        const Search answer = visit(events[i]);
        if (answer != Search::kGoOn) return answer;
      }
    }
    return Search::kGoOn;
  };
  try {
    Search answer = search_chunk();
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
      queue_.wait(*ahead_[i]);
      decoder.start(ahead_[i]->payload, frame.ticks, frame.shared_order());
      answer = search_chunk();
    }
    return answer;
  } catch (const PayloadError&) {
    return Search::kStop;  // told when the stream gets there
  }
}

uint64_t StreamCursor::latest_ticks() {
  for (const bool looked_ahead : {false, true}) {
    if (looked_ahead) look_ahead();
    for (const Event& event : std::span(begin(), end())) {
      if (event.type == EventType::kTime) return event.address;
    }
  }
  return next_frame_ < stream_.frames.size() ? stream_.frames[next_frame_].ticks : UINT64_MAX;
}

void StreamCursor::release() {
  queue_.finish(std::move(current_));
  for (auto& job : ahead_) queue_.finish(std::move(job));
  ahead_.clear();
  decoder_.reset();
  batch_.reset();
  next_ = count_ = 0;
}

void StreamCursor::fail(const PayloadError& error) const {
  const FrameRef& frame = stream_.frames[next_frame_ == 0 ? 0 : next_frame_ - 1];
  throw CaptureError(source_.path(), frame.offset, std::string("damaged: ") + error.what());
}

}  // namespace memlens::reader
