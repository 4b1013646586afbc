#include "report/view/memory_over_time.h"

#include <algorithm>

#include "report/view/resident_curves.h"

namespace memlens::report {
namespace {

// Points are told by their ends.
TimeAxis axis_of(std::span<const reader::TimelinePoint> timeline) {
  const double first = timeline.front().seconds, last = timeline.back().seconds;
  const double length =
      timeline.size() > 1 ? (last - first) / static_cast<double>(timeline.size() - 1) : last;
  return {first - length, last, timeline.size()};
}

}  // namespace

std::vector<MemoryPoint> memory_over_time(const reader::CaptureInfo& info,
                                          std::span<const reader::TimelinePoint> timeline,
                                          std::span<const reader::ResidentSample> samples,
                                          const reader::Query& query) {
  std::vector<MemoryPoint> points;
  for (const reader::TimelinePoint& point : timeline)
    points.push_back({point.seconds, std::max(point.bytes, point.high_bytes), 0});
  if (points.empty()) return points;
  for (const auto& [process, values] : resident_curves(info, samples, axis_of(timeline))) {
    const auto known = std::ranges::find(info.processes, process, &reader::ProcessInfo::index);
    if (query.pid && (known == info.processes.end() || known->pid != *query.pid)) continue;
    for (size_t i = 0; i < points.size(); ++i) points[i].resident_bytes += values[i];
  }
  return points;
}

}  // namespace memlens::report
