#include "reader/events/chunk_queue.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace memlens::reader {

void EventBuffer::decode_all(EventDecoder& decoder) {
  constexpr size_t kFirstCapacity = 16 << 10;
  count_ = 0;
  for (;;) {
    if (count_ == capacity_) {
      const size_t capacity = capacity_ == 0 ? kFirstCapacity : 2 * capacity_;
      auto longer = std::make_unique_for_overwrite<Event[]>(capacity);
      std::copy_n(events_.get(), count_, longer.get());
      events_ = std::move(longer);
      capacity_ = capacity;
    }
    // In pieces, so that what comes before damage is counted.
    constexpr size_t kPiece = 256;
    const size_t got = decoder.decode(events_.get() + count_, std::min(kPiece, capacity_ - count_));
    if (got == 0) return;
    count_ += got;
  }
}

// This is a smaller part of the work than the consumer's own: a few threads keep it busy. With one
// processor the consumer does it all.
size_t ChunkQueue::default_threads() {
  return std::min(std::max(1u, std::thread::hardware_concurrency()) - 1, 3u);
}

ChunkQueue::ChunkQueue(const Source& source, size_t max_threads)
    : source_(source), own_loader_(source), max_threads_(max_threads) {}

ChunkQueue::~ChunkQueue() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    stop_ = true;
    waiting_.clear();
  }
  work_there_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// An event takes three bytes of payload or more, as a rule, and 32 here.
size_t ChunkQueue::cost_of(const FrameRef& frame) {
  return frame.raw_bytes > kMaxDecodedPayload ? frame.raw_bytes : size_t{frame.raw_bytes} * 12;
}

std::unique_ptr<ChunkQueue::Job> ChunkQueue::request(const FrameRef& frame, bool always) {
  std::unique_ptr<Job> job;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (!always && (max_threads_ == 0 || ahead_bytes_ + cost_of(frame) > kBudgetBytes))
      return nullptr;
    ahead_bytes_ += cost_of(frame);
    if (!spare_.empty()) {
      job = std::move(spare_.back());
      spare_.pop_back();
    } else {
      job = std::make_unique<Job>();
    }
    job->frame = frame;
    if (!always) {
      waiting_.push_back(job.get());
      // A small capture needs no thread, a large one soon has them all.
      if (threads_.size() < max_threads_ && waiting_.size() > threads_.size()) {
        try {
          threads_.emplace_back([this] { work(); });
        } catch (const std::system_error&) {
          // No thread more for this user (`ulimit -u`): the consumer does the rest.
        }
      }
    }
  }
  if (!always) work_there_.notify_one();
  return job;
}

void ChunkQueue::wait(Job& job) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (job.state == Job::kWaiting) {
    std::erase(waiting_, &job);
    job.state = Job::kLoading;
    lock.unlock();
    load(own_loader_, job);
    lock.lock();
    job.state = Job::kDone;
  }
  job_done_.wait(lock, [&] { return job.state == Job::kDone; });
  if (job.error) std::rethrow_exception(job.error);
}

void ChunkQueue::finish(std::unique_ptr<Job> job) {
  if (job == nullptr) return;
  std::unique_lock<std::mutex> lock(mutex_);
  if (job->state == Job::kWaiting) std::erase(waiting_, job.get());
  job_done_.wait(lock, [&] { return job->state != Job::kLoading; });
  ahead_bytes_ -= cost_of(job->frame);
  if (spare_.size() == kMaxSpareJobs) return;
  job->decoded = false;
  job->events.clear();
  job->damage.reset();
  job->state = Job::kWaiting;
  job->error = nullptr;
  spare_.push_back(std::move(job));
}

void ChunkQueue::work() {
  PayloadLoader loader(source_);
  EventDecoder decoder;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_there_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    Job& job = *waiting_.front();
    waiting_.pop_front();
    job.state = Job::kLoading;
    lock.unlock();
    load(loader, job);
    if (!job.error && job.frame.raw_bytes <= kMaxDecodedPayload && !job.frame.goes_on())
      decode(decoder, job);
    lock.lock();
    job.state = Job::kDone;
    job_done_.notify_all();
  }
}

void ChunkQueue::load(PayloadLoader& loader, Job& job) {
  try {
    loader.load(job.frame, job.payload);
  } catch (...) {
    job.error = std::current_exception();
  }
}

// Damage is told where the consumer comes to it, which may be never.
void ChunkQueue::decode(EventDecoder& decoder, Job& job) {
  decoder.start(job.payload, job.frame);
  try {
    job.events.decode_all(decoder);
    job.decoded = true;
  } catch (const PayloadError& damage) {
    job.damage = damage;
    job.decoded = true;
  } catch (...) {  // no memory
    job.error = std::current_exception();
  }
}

}  // namespace memlens::reader
