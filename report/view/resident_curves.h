// Resident sets over time, resampled: one value a process and point of an axis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "reader/capture/capture.h"

namespace memlens::report {

// So many points of equal length between two moments.
struct TimeAxis {
  double from_seconds = 0;
  double to_seconds = 0;
  size_t points = 0;
};

// By process index. The largest sample within a point, or the last one before; 0 before a process's
// first sample and after its end.
std::map<uint32_t, std::vector<uint64_t>> resident_curves(
    const reader::CaptureInfo& info, std::span<const reader::ResidentSample> samples,
    const TimeAxis& axis);

}  // namespace memlens::report
