// Samples of the processes' resident sets, kept few: the interval doubles whenever a fixed number
// of samples has been taken, so a run of days costs some hundred kilobytes. And, now and then, of
// what they are made of: where a set has grown by an eighth, and when a process is twice as old as
// it was when looked at, or a hundred samples have passed. Its mappings are looked at where the
// kernel's work for that stays below a fiftieth of the time, and below 25 ms at once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "interposer/collector/allocator_questions.h"
#include "interposer/collector/capture_writer.h"
#include "interposer/collector/process_watch.h"
#include "interposer/format/resident_parts.h"

namespace memlens::collector {

class ResidentSampler {
 public:
  // `questions`: is told what every process has in memory; may be null.
  explicit ResidentSampler(CaptureWriter& writer, AllocatorQuestions* questions = nullptr)
      : writer_(writer), questions_(questions) {}

  // Samples every living process when it is time to. `now_ns`: CLOCK_MONOTONIC.
  void update(const std::vector<WatchedProcess>& living, int64_t now_ns);
  // Writes the samples collected so far.
  void flush();

  int64_t interval_ns() const { return interval_ns_; }

 private:
  struct LastParts {
    int64_t first_ns = 0;
    uint64_t resident_bytes = 0;
    int64_t next_ns = 0;  // due by then, however little it has grown
  };

  // The bytes; nothing of a process that has gone.
  std::optional<uint64_t> sample(const WatchedProcess& process);
  void sample_parts(const WatchedProcess& process, uint64_t resident_bytes, int64_t now_ns);
  std::optional<format::ResidentParts> look_at(int32_t pid, uint64_t resident_bytes,
                                               int64_t now_ns);
  void forget_ended(const std::vector<WatchedProcess>& living);
  void flush(format::FrameKind kind, uint64_t first_ticks, std::vector<uint8_t>& payload);

  CaptureWriter& writer_;
  AllocatorQuestions* questions_;
  int64_t interval_ns_ = 50'000'000;
  int64_t next_sample_ns_ = 0;
  int64_t next_flush_ns_ = 0;
  uint32_t samples_at_interval_ = 0;
  uint32_t newest_process_ = 0;  // sampled at once when first seen
  uint64_t first_ticks_ = 0;
  std::vector<uint8_t> payload_;

  std::map<uint32_t, LastParts> last_parts_;  // by process
  int64_t first_update_ns_ = 0;
  int64_t spent_on_mappings_ns_ = 0;  // of CPU time
  double ns_per_resident_byte_ = 0;   // what looking at mappings took last
  uint64_t first_parts_ticks_ = 0;
  std::vector<uint8_t> parts_payload_;
};

}  // namespace memlens::collector
