// A capture of samples that is left on for days must not fill the disk: each time it has grown by
// 64 MB, samples become half as frequent. So it grows with the logarithm of what is allocated: a
// program that allocates 1 GB/s, sampled once in 512 kB, has written 64 MB after about an hour, and
// some 600 MB after a month. Who gives a size gets steps of a 24th of it: to reach it takes
// 16 million times what the first step took.
#pragma once

#include <algorithm>
#include <cstdint>

namespace memlens::collector {

class SampleThinning {
 public:
  static constexpr uint64_t kStepBytes = 64 << 20;
  static constexpr uint64_t kSteps = 24;
  static constexpr uint64_t kLongestInterval = uint64_t{1} << 40;

  // `max_bytes`: of the capture; 0: no bound but the logarithm.
  explicit SampleThinning(uint64_t max_bytes = 0)
      : max_bytes_(max_bytes),
        step_bytes_(max_bytes != 0 ? std::min(kStepBytes, max_bytes / kSteps) : kStepBytes),
        next_step_at_(step_bytes_) {}

  // The interval from here on, for a capture that has `file_bytes`. Growth beyond one step counts
  // from where it is noticed: it was made at the old interval.
  uint64_t next_interval(uint64_t interval, uint64_t file_bytes) {
    if (file_bytes < next_step_at_) return interval;
    if (max_bytes_ != 0 && file_bytes >= max_bytes_) return kLongestInterval;
    next_step_at_ = file_bytes + step_bytes_;
    return std::min(interval * 2, kLongestInterval);
  }

 private:
  uint64_t max_bytes_;
  uint64_t step_bytes_;
  uint64_t next_step_at_;  // of the file
};

}  // namespace memlens::collector
