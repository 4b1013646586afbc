// Samples of the processes' resident sets, kept few: the interval doubles whenever a fixed number
// of samples has been taken, so a run of days costs some hundred kilobytes.
#pragma once

#include <cstdint>
#include <vector>

#include "interposer/collector/capture_writer.h"
#include "interposer/collector/process_watch.h"

namespace memlens::collector {

class ResidentSampler {
 public:
  explicit ResidentSampler(CaptureWriter& writer) : writer_(writer) {}

  // Samples every living process when it is time to. `now_ns`: CLOCK_MONOTONIC.
  void update(const std::vector<WatchedProcess>& living, int64_t now_ns);
  // Writes the samples collected so far.
  void flush();

  int64_t interval_ns() const { return interval_ns_; }

 private:
  void sample(const WatchedProcess& process);

  CaptureWriter& writer_;
  int64_t interval_ns_ = 50'000'000;
  int64_t next_sample_ns_ = 0;
  int64_t next_flush_ns_ = 0;
  uint32_t samples_at_interval_ = 0;
  uint32_t newest_process_ = 0;  // sampled at once when first seen
  uint64_t first_ticks_ = 0;
  std::vector<uint8_t> payload_;
};

}  // namespace memlens::collector
