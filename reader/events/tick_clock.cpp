#include "reader/events/tick_clock.h"

#include <algorithm>
#include <cmath>

namespace memlens::reader {

namespace {

// A recording so short that only its first moment is known: any rate is a guess. Most processors of
// today count at 2 to 4 GHz.
constexpr double kGuessedTicksPerSecond = 3e9;

double ticks_between(uint64_t from, uint64_t to) {
  return to >= from ? static_cast<double>(to - from) : -static_cast<double>(from - to);
}

}  // namespace

void TickClock::add(uint64_t ticks, uint64_t monotonic_ns) {
  if (points_.empty()) start_ns_ = monotonic_ns;
  const double seconds = monotonic_ns >= start_ns_
                             ? static_cast<double>(monotonic_ns - start_ns_) * 1e-9
                             : -static_cast<double>(start_ns_ - monotonic_ns) * 1e-9;
  points_.push_back({ticks, seconds});
  // Recordings keep few. Of too many, every second one says as much.
  constexpr size_t kMaxPoints = 1 << 16;
  if (points_.size() < kMaxPoints) return;
  keep_ordered();
  for (size_t i = 1; 2 * i < points_.size(); ++i) points_[i] = points_[2 * i];
  points_.resize((points_.size() + 1) / 2);
}

void TickClock::finish() {
  if (points_.empty()) points_.push_back({0, 0});
  keep_ordered();
}

void TickClock::keep_ordered() {
  std::stable_sort(points_.begin(), points_.end(),
                   [](const Point& a, const Point& b) { return a.ticks < b.ticks; });
  // Both clocks only go forward; a point that says otherwise is left out.
  std::vector<Point> kept;
  for (const Point& point : points_) {
    if (kept.empty() || (point.ticks > kept.back().ticks && point.seconds > kept.back().seconds))
      kept.push_back(point);
  }
  points_ = std::move(kept);
}

double TickClock::seconds_at(uint64_t ticks) const {
  if (points_.size() == 1)
    return points_[0].seconds + ticks_between(points_[0].ticks, ticks) / kGuessedTicksPerSecond;
  auto right = std::upper_bound(points_.begin(), points_.end(), ticks,
                                [](uint64_t value, const Point& p) { return value < p.ticks; });
  right = std::clamp(right, points_.begin() + 1, points_.end() - 1);
  const Point& a = right[-1];
  const Point& b = *right;
  return a.seconds +
         ticks_between(a.ticks, ticks) * (b.seconds - a.seconds) / ticks_between(a.ticks, b.ticks);
}

uint64_t TickClock::ticks_at(double seconds) const {
  double ticks;
  if (points_.size() == 1) {
    ticks = static_cast<double>(points_[0].ticks) +
            (seconds - points_[0].seconds) * kGuessedTicksPerSecond;
  } else {
    auto right = std::upper_bound(points_.begin(), points_.end(), seconds,
                                  [](double value, const Point& p) { return value < p.seconds; });
    right = std::clamp(right, points_.begin() + 1, points_.end() - 1);
    const Point& a = right[-1];
    const Point& b = *right;
    const double rate = ticks_between(a.ticks, b.ticks) / (b.seconds - a.seconds);
    ticks = static_cast<double>(a.ticks) + (seconds - a.seconds) * rate;
  }
  if (!(ticks > 0)) return 0;
  if (ticks >= 18446744073709549568.0) return UINT64_MAX;
  return static_cast<uint64_t>(ticks);
}

}  // namespace memlens::reader
