// A capture of samples that is left on for days must not fill the disk: each time it has grown by
// 64 MB, samples become half as frequent. So it grows with the logarithm of what is allocated: a
// program that allocates 1 GB/s, sampled once in 512 kB, has written 64 MB after about an hour, and
// some 600 MB after a month.
#pragma once

#include <algorithm>
#include <cstdint>

namespace memlens::collector {

class SampleThinning {
 public:
  static constexpr uint64_t kStepBytes = 64 << 20;
  static constexpr uint64_t kLongestInterval = uint64_t{1} << 40;

  // The interval from here on, for a capture that has `file_bytes`. Growth beyond one step counts
  // from where it is noticed: it was made at the old interval.
  uint64_t next_interval(uint64_t interval, uint64_t file_bytes) {
    if (file_bytes < next_step_at_) return interval;
    next_step_at_ = file_bytes + kStepBytes;
    return std::min(interval * 2, kLongestInterval);
  }

  // The capture goes on in another file, which has so much already.
  void go_on_from(uint64_t file_bytes) { next_step_at_ = file_bytes + kStepBytes; }

 private:
  uint64_t next_step_at_ = kStepBytes;  // of the file
};

}  // namespace memlens::collector
