// Payloads loaded ahead of the consumer, by other threads, within a budget of memory.
//
// Loading (read, checksum, decompress) needs nothing but the frame, so it is what can be done in
// parallel; decoding and the accounts are done by one thread, in order.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "reader/frame_payload.h"

namespace memlens::reader {

class PayloadQueue {
 public:
  // One frame on its way. Made by request(), given back by finish().
  struct Job {
    const FrameRef* frame = nullptr;
    PayloadBuffer payload;
    enum State { kWaiting, kLoading, kDone } state = kWaiting;
    std::exception_ptr error;
  };

  explicit PayloadQueue(const Source& source);
  ~PayloadQueue();
  PayloadQueue(const PayloadQueue&) = delete;
  PayloadQueue& operator=(const PayloadQueue&) = delete;

  // Starts to load a frame, or returns nullptr when the budget is spent. `frame` outlives the job.
  // With `always`, for a frame that is needed now, the budget does not matter.
  std::unique_ptr<Job> request(const FrameRef& frame, bool always);

  // Returns when the job's payload is there; loads it here if no other thread has begun to. Throws
  // CaptureError.
  void wait(Job& job);

  // The job's memory, for the next one. The job may still be under way.
  void finish(std::unique_ptr<Job> job);

 private:
  static constexpr size_t kBudgetBytes = 64 << 20;
  static constexpr size_t kMaxSpareBuffers = 32;

  void work();
  void load(PayloadLoader& loader, Job& job);

  const Source& source_;
  PayloadLoader own_loader_;
  const size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable work_there_;
  std::condition_variable job_done_;
  std::deque<Job*> waiting_;
  std::vector<PayloadBuffer> spare_;
  size_t loaded_ahead_bytes_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace memlens::reader
