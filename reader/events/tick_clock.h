// From the processor's ticks to seconds since the session began.
#pragma once

#include <cstdint>
#include <vector>

namespace memlens::reader {

class TickClock {
 public:
  // A moment on both clocks. The first one added is the session's start.
  void add(uint64_t ticks, uint64_t monotonic_ns);

  // Call once after the last add().
  void finish();

  // Negative for a moment before the session's start.
  double seconds_at(uint64_t ticks) const;
  // The inverse; never less than zero.
  uint64_t ticks_at(double seconds) const;

 private:
  struct Point {
    uint64_t ticks;
    double seconds;
  };

  // Sorts the points and leaves out those that contradict the ones before.
  void keep_ordered();

  uint64_t start_ns_ = 0;
  std::vector<Point> points_;  // ascending in both after finish(); never empty
};

}  // namespace memlens::reader
