#include "reader/analysis/timeline.h"

#include <algorithm>

namespace memlens::reader {

Timeline::Timeline(uint64_t first_ticks, uint64_t last_ticks, uint32_t points)
    : first_ticks_(first_ticks),
      span_ticks_(last_ticks > first_ticks ? last_ticks - first_ticks : 1),
      count_(points),
      point_ends_(points == 0 ? UINT64_MAX : end_of(0)) {
  points_.reserve(points);
}

uint64_t Timeline::end_of(size_t point) const {
  const double share = static_cast<double>(point + 1) / static_cast<double>(count_);
  return first_ticks_ + static_cast<uint64_t>(share * static_cast<double>(span_ticks_));
}

void Timeline::advance(uint64_t ticks, uint64_t live_bytes, uint64_t high_bytes) {
  while (points_.size() + 1 < count_ && ticks >= point_ends_) {
    points_.push_back({live_bytes, high_bytes});
    high_bytes = live_bytes;
    point_ends_ = end_of(points_.size());
  }
  // Whatever is later than the end belongs to the last point.
  if (points_.size() + 1 >= count_) point_ends_ = UINT64_MAX;
}

std::vector<TimelinePoint> Timeline::finish(const TickClock& clock, uint64_t live_bytes,
                                            uint64_t high_bytes) {
  while (points_.size() < count_) {
    points_.push_back({live_bytes, high_bytes});
    high_bytes = live_bytes;
  }
  std::vector<TimelinePoint> timeline;
  timeline.reserve(points_.size());
  for (size_t i = 0; i < points_.size(); ++i) {
    timeline.push_back(
        {std::max(0.0, clock.seconds_at(end_of(i))), points_[i].bytes, points_[i].high_bytes});
  }
  return timeline;
}

}  // namespace memlens::reader
