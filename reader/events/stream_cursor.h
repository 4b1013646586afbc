// One thread's events, in order, across its frames wherever they are in the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>

#include "reader/events/chunk_queue.h"
#include "reader/events/event.h"
#include "reader/events/event_decoder.h"
#include "reader/file/frame_index.h"

namespace memlens::reader {

class StreamCursor {
 public:
  // `number` is the owner's own name for the stream.
  // Times beyond `latest_ticks` make no sense.
  StreamCursor(const Source& source, const EventStream& stream, ChunkQueue& queue, uint32_t number,
               uint64_t latest_ticks = UINT64_MAX);
  ~StreamCursor();
  StreamCursor(const StreamCursor&) = delete;
  StreamCursor& operator=(const StreamCursor&) = delete;

  // Passes epoch and time records until the next event about memory. False: the stream is over.
  // Throws CaptureError: StreamDamage where events make no sense.
  bool position() {
    return __builtin_expect(next_ != end_ && !is_control(next_->type), 1) || pass_control();
  }

  // The order epoch and the time of what comes next: exact after position(), before it not too
  // late.
  uint64_t epoch() const { return epoch_; }
  bool shared() const { return shared_; }
  uint64_t ticks() const { return ticks_; }
  uint32_t number() const { return number_; }

  // Decoded and not yet consumed, never empty after position(). May hold control events.
  const Event* begin() const { return next_; }
  const Event* end() const { return end_; }
  void consume_until(const Event* event) { next_ = event; }

  enum class Search : uint8_t { kGoOn, kStop, kFound };

  // Shows `visit(const Event&)` what comes, control events included, from the next event on, until
  // it answers other than kGoOn, which is the result; kStop at the end of the stream. Looks only so
  // far that it ends soon: kGoOn means that it did not get to know.
  template <typename Visit>
  Search search_ahead(Visit&& visit) {
    look_ahead();
    Search answer = search(std::span(begin(), end()), visit);
    if (answer == Search::kGoOn) answer = search_undecoded(visit);
    if (answer == Search::kGoOn) answer = search_next_chunks(visit);
    return answer;
  }

  // position() has returned false.
  bool over() const { return over_; }

  // Where the stream goes on: a chunk's sequence number, and how many of its events are consumed.
  // False: not known, since there were carried blocks only.
  bool place(uint32_t& sequence, uint64_t& events) const;

  // ---- Of a capture that grows, a stream is over only for now.

  // The stream's frames have changed: some were added, or the last one, which was unfinished, was
  // replaced. Once over, goes on where it was. False: there is nothing more yet.
  bool resume();
  // How many of the stream's first frames are no longer needed; they were removed.
  size_t frames_passed() const;
  void frames_removed(size_t count);
  // Times beyond it make no sense.
  void set_latest_ticks(uint64_t ticks) { latest_ticks_ = ticks; }
  // By then everything that is there had happened.
  void set_known_until(uint64_t ticks) { known_until_ = ticks; }

  // A time by which the next event had happened; UINT64_MAX: not known.
  uint64_t latest_ticks();

 private:
  static constexpr size_t kBatchEvents = 256;
  // When looked ahead for the next time record, which comes at least every kilobyte: half of these
  // are there then, or all that are left of the chunk.
  static constexpr size_t kLongBatchEvents = 2048;
  static constexpr size_t kFramesAhead = 3;
  static constexpr size_t kFramesSearched = 4;

  using Visitor = std::function<Search(const Event&)>;

  template <typename Visit>
  static Search search(std::span<const Event> events, const Visit& visit) {
    for (const Event& event : events) {
      const Search answer = visit(event);
      if (answer != Search::kGoOn) return answer;
    }
    return Search::kGoOn;
  }

  // The chunk was decoded as a whole; else batch by batch.
  bool is_decoded() const { return current_->decoded; }
  bool pass_control();
  void look_ahead();
  // What is behind the batch in this chunk.
  Search search_undecoded(const Visitor& visit);
  Search search_next_chunks(const Visitor& visit);
  static Search search_rest(EventDecoder& decoder, const Visitor& visit);
  bool refill();
  bool open_next_frame();
  void go_back_to_replaced();
  size_t decode(Event* out, size_t capacity);
  void pass_counted(uint64_t count);
  void skip_taken();
  void release();
  void fail(const PayloadError& error) const;

  const Source& source_;
  const EventStream& stream_;
  ChunkQueue& queue_;
  uint32_t number_;
  uint64_t latest_ticks_;
  uint64_t known_until_ = UINT64_MAX;
  uint64_t epoch_ = 0;
  uint64_t ticks_ = 0;
  bool shared_ = false;
  bool over_ = false;
  size_t next_frame_ = 0;
  size_t requested_frames_ = 0;
  // Of the last frame opened: where it is, what was decoded of it; and what of the next one was
  // decoded before, when it was shorter.
  uint64_t opened_offset_ = UINT64_MAX;
  uint64_t taken_ = 0;
  uint64_t skip_ = 0;
  std::unique_ptr<ChunkQueue::Job> current_;
  std::deque<std::unique_ptr<ChunkQueue::Job>> ahead_;
  const Event* next_ = nullptr;
  const Event* end_ = nullptr;
  // For chunks that were not decoded ahead.
  std::unique_ptr<EventDecoder> decoder_;
  std::unique_ptr<Event[]> batch_;
  size_t capacity_ = 0;
};

}  // namespace memlens::reader
