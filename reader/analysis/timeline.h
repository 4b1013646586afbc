// Live bytes over time, in a fixed number of points whatever the length of the recording.
#pragma once

#include <cstdint>
#include <vector>

#include "reader/analysis/results.h"
#include "reader/events/tick_clock.h"

namespace memlens::reader {

class Timeline {
 public:
  Timeline(uint64_t first_ticks, uint64_t last_ticks, uint32_t points);

  // The next moment at which the point that is being filled is over.
  uint64_t point_ends() const { return point_ends_; }

  // Time has come to `ticks`, at or after point_ends(). Until now `live_bytes` were alive, and
  // `high_bytes` at most since the point began.
  void advance(uint64_t ticks, uint64_t live_bytes, uint64_t high_bytes);

  // The points, the rest of them filled with what is alive at the end.
  std::vector<TimelinePoint> finish(const TickClock& clock, uint64_t live_bytes,
                                    uint64_t high_bytes);

 private:
  uint64_t end_of(size_t point) const;

  struct Point {
    uint64_t bytes;
    uint64_t high_bytes;
  };

  uint64_t first_ticks_;
  uint64_t span_ticks_;
  uint32_t count_;
  uint64_t point_ends_;
  std::vector<Point> points_;
};

}  // namespace memlens::reader
