// Memory over time, as a curve: of the recorded blocks, and of what was resident beside them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"

namespace memlens::report {

struct MemoryPoint {
  double seconds = 0;
  uint64_t bytes = 0;           // of blocks, the highest since the previous point
  uint64_t resident_bytes = 0;  // of all recorded processes; 0: not known
};

// What a drawing of it needs.
struct TimelinePicture {
  std::string title;
  std::span<const MemoryPoint> points;
  std::span<const reader::Mark> marks;
  uint64_t peak_bytes = 0;
  double peak_seconds = 0;
};

// Of all processes, or of the one that `query` asks for.
std::vector<MemoryPoint> memory_over_time(const reader::CaptureInfo& info,
                                          std::span<const reader::TimelinePoint> timeline,
                                          std::span<const reader::ResidentSample> samples,
                                          const reader::Query& query);

}  // namespace memlens::report
