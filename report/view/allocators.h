// What the allocators of the recorded processes held, and how much of it was free, as they said
// themselves.
#pragma once

#include <string_view>
#include <vector>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"

namespace memlens::report {

// "glibc", "jemalloc", ...
std::string_view allocator_name(format::AllocatorName name);
// Whether it says how much of what it holds is in no block.
bool tells_free(format::AllocatorName name);
// "running", "mark", "end".
std::string_view moment_name(format::StatisticsMoment moment);

// Of one allocator, the sum over processes.
struct AllocatorHeld {
  format::AllocatorName allocator{};
  double seconds = 0;  // when the last of them said so
  format::AllocatorStatistics statistics;
};

// At about the peak, and of about as much memory; empty where nobody said anything near it. The
// largest first.
std::vector<AllocatorHeld> allocators_at_peak(const reader::Capture& capture,
                                              const reader::Analysis& analysis,
                                              const reader::Query& query);

}  // namespace memlens::report
