// What the process really had in memory, beside what its blocks say: users come with an RSS number.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"

namespace memlens::report {

// Of all recorded processes that are asked about. Each is missing where it is not known.
struct ResidentMemory {
  std::optional<uint64_t> at_peak;        // of the view's peak, not of RSS
  std::optional<uint64_t> highest;        // at any time
  std::optional<double> highest_seconds;  // when; missing where only the kernel saw it
  std::optional<uint64_t> untracked;      // of at_peak, what is no recorded block
  std::optional<uint64_t> untouched;      // asked for, there at the peak, and never used until then
};

ResidentMemory resident_memory(const reader::CaptureInfo& info,
                               std::span<const reader::ResidentSample> samples,
                               const reader::Totals& totals, const reader::Query& query);

// What the resident sets were made of at a moment, about: as they were when last looked at with
// about as much in memory.
struct ResidentPartsAt {
  format::ResidentParts sum;  // without proportional and own where they are missing of a process
  std::map<uint32_t, format::ResidentParts> processes;  // by index, those alive then
};

// Nothing where that is not known of a process that had more than a twentieth of it.
std::optional<ResidentPartsAt> resident_parts_at(const reader::Capture& capture, double seconds,
                                                 const reader::Query& query);

}  // namespace memlens::report
