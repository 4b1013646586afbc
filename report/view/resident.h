// What the process really had in memory, beside what its blocks say: users come with an RSS number.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"

namespace memlens::report {

// Of all recorded processes that are asked about. Each is missing where it is not known.
struct ResidentMemory {
  std::optional<uint64_t> at_peak;    // of the view's peak, not of RSS
  std::optional<uint64_t> highest;    // at any time
  std::optional<uint64_t> untracked;  // of at_peak, what is no recorded block
  std::optional<uint64_t> untouched;  // asked for, there at the peak, and never used until then
};

ResidentMemory resident_memory(const reader::CaptureInfo& info,
                               std::span<const reader::ResidentSample> samples,
                               const reader::Totals& totals, const reader::Query& query);

}  // namespace memlens::report
