#include "report/view/live_bytes.h"

#include <algorithm>

namespace memlens::report {

uint64_t live_bytes_at(const reader::Analysis& analysis, double seconds) {
  if (analysis.timeline.empty()) return 0;
  const auto after =
      std::ranges::lower_bound(analysis.timeline, seconds, {}, &reader::TimelinePoint::seconds);
  if (after == analysis.timeline.end()) return analysis.timeline.back().bytes;
  // The highest around it: what is freed within a point of the curve is not kept.
  uint64_t bytes = std::max(after->bytes, after->high_bytes);
  if (after != analysis.timeline.begin()) bytes = std::max(bytes, std::prev(after)->bytes);
  return bytes;
}

}  // namespace memlens::report
