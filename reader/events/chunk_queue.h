// Chunks loaded and decoded ahead of the consumer, by other threads, within a budget of memory.
//
// Reading, checking, decompressing and decoding need nothing but the chunk, so they can be done in
// parallel; the accounts are kept by one thread, in order. They are 15 to 20 ns of the 40 an event
// takes, so with two processors this is worth nearly a factor of two. A decoded chunk passes
// through the cache the processors share, 32 bytes an event, in order; that is not seen in
// profiles.
//
// A chunk the consumer needs before anyone has begun with it is only loaded here, by the consumer,
// which then decodes it piece by piece in its own cache. So is one that is too long, or for which
// the budget has nothing left: memory follows the budget and the number of streams open at once.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "reader/events/event.h"
#include "reader/events/event_decoder.h"
#include "reader/file/frame_payload.h"

namespace memlens::reader {

// Events without the cost of zeroing them first.
class EventBuffer {
 public:
  // Decodes what is left of the decoder's chunk. What was here before is lost. Throws PayloadError;
  // the events up to there are kept.
  void decode_all(EventDecoder& decoder);
  void clear() { count_ = 0; }
  std::span<const Event> events() const { return {events_.get(), count_}; }

 private:
  std::unique_ptr<Event[]> events_;
  size_t count_ = 0;
  size_t capacity_ = 0;
};

class ChunkQueue {
 public:
  // One frame on its way. Made by request(), given back by finish().
  struct Job {
    FrameRef frame;
    PayloadBuffer payload;
    bool decoded = false;  // else the consumer does it
    EventBuffer events;
    std::optional<PayloadError> damage;  // behind the last of `events`
    enum State { kWaiting, kLoading, kDone } state = kWaiting;
    std::exception_ptr error;
  };

  // With no threads the consumer does everything.
  ChunkQueue(const Source& source, size_t max_threads);
  explicit ChunkQueue(const Source& source) : ChunkQueue(source, default_threads()) {}
  ~ChunkQueue();
  ChunkQueue(const ChunkQueue&) = delete;
  ChunkQueue& operator=(const ChunkQueue&) = delete;

  // Starts with a frame, or returns nullptr when the budget is spent.
  // With `always`, for a frame that is needed now, the budget does not matter.
  std::unique_ptr<Job> request(const FrameRef& frame, bool always);

  // Returns when the job's payload is there; loads it here if no other thread has begun to. Throws
  // CaptureError.
  void wait(Job& job);

  // The job's memory, for the next one. The job may still be under way.
  void finish(std::unique_ptr<Job> job);

 private:
  static constexpr size_t kBudgetBytes = 64 << 20;
  static constexpr size_t kMaxSpareJobs = 8;
  static constexpr size_t kMaxDecodedPayload = 128 << 10;

  static size_t default_threads();
  static size_t cost_of(const FrameRef& frame);
  void work();
  static void load(PayloadLoader& loader, Job& job);
  static void decode(EventDecoder& decoder, Job& job);

  const Source& source_;
  PayloadLoader own_loader_;
  const size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable work_there_;
  std::condition_variable job_done_;
  std::deque<Job*> waiting_;
  std::vector<std::unique_ptr<Job>> spare_;  // for their buffers
  size_t ahead_bytes_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace memlens::reader
