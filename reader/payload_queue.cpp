#include "reader/payload_queue.h"

#include <algorithm>
#include <utility>

namespace memlens::reader {

// Loading is a small part of the work: a few threads keep any consumer busy. With one processor the
// consumer loads for itself.
PayloadQueue::PayloadQueue(const Source& source)
    : source_(source),
      own_loader_(source),
      max_threads_(std::min(std::max(1u, std::thread::hardware_concurrency()) - 1, 3u)) {}

PayloadQueue::~PayloadQueue() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    stop_ = true;
    waiting_.clear();
  }
  work_there_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::unique_ptr<PayloadQueue::Job> PayloadQueue::request(const FrameRef& frame, bool always) {
  auto job = std::make_unique<Job>();
  job->frame = &frame;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (!always && (max_threads_ == 0 || loaded_ahead_bytes_ + frame.raw_bytes > kBudgetBytes))
      return nullptr;
    loaded_ahead_bytes_ += frame.raw_bytes;
    if (!spare_.empty()) {
      job->payload = std::move(spare_.back());
      spare_.pop_back();
    }
    if (!always) {
      waiting_.push_back(job.get());
      // A small capture needs no thread, a large one soon has them all.
      if (threads_.size() < max_threads_ && waiting_.size() > threads_.size())
        threads_.emplace_back([this] { work(); });
    }
  }
  if (!always) work_there_.notify_one();
  return job;
}

void PayloadQueue::wait(Job& job) {
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

void PayloadQueue::finish(std::unique_ptr<Job> job) {
  if (job == nullptr) return;
  std::unique_lock<std::mutex> lock(mutex_);
  if (job->state == Job::kWaiting) std::erase(waiting_, job.get());
  job_done_.wait(lock, [&] { return job->state != Job::kLoading; });
  loaded_ahead_bytes_ -= job->frame->raw_bytes;
  if (spare_.size() < kMaxSpareBuffers) spare_.push_back(std::move(job->payload));
}

void PayloadQueue::work() {
  PayloadLoader loader(source_);
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_there_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    Job& job = *waiting_.front();
    waiting_.pop_front();
    job.state = Job::kLoading;
    lock.unlock();
    load(loader, job);
    lock.lock();
    job.state = Job::kDone;
    job_done_.notify_all();
  }
}

void PayloadQueue::load(PayloadLoader& loader, Job& job) {
  try {
    loader.load(*job.frame, job.payload);
  } catch (...) {
    job.error = std::current_exception();
  }
}

}  // namespace memlens::reader
