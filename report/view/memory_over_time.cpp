#include "report/view/memory_over_time.h"

#include <algorithm>
#include <map>

namespace memlens::report {
namespace {

bool is_asked_for_process(const reader::CaptureInfo& info, const reader::Query& query,
                          uint32_t process) {
  if (!query.pid) return true;
  const auto found = std::ranges::find(info.processes, process, &reader::ProcessInfo::index);
  return found != info.processes.end() && found->pid == *query.pid;
}

double end_of_process(const reader::CaptureInfo& info, uint32_t process) {
  const auto found = std::ranges::find(info.processes, process, &reader::ProcessInfo::index);
  if (found == info.processes.end()) return info.duration_seconds;
  return found->end_seconds.value_or(info.duration_seconds);
}

}  // namespace

std::vector<MemoryPoint> memory_over_time(const reader::CaptureInfo& info,
                                          std::span<const reader::TimelinePoint> timeline,
                                          std::span<const reader::ResidentSample> samples,
                                          const reader::Query& query) {
  std::map<uint32_t, std::vector<reader::ResidentSample>> by_process;
  for (const reader::ResidentSample& sample : samples) {
    if (is_asked_for_process(info, query, sample.process_index))
      by_process[sample.process_index].push_back(sample);
  }
  std::vector<MemoryPoint> points;
  for (const reader::TimelinePoint& point : timeline)
    points.push_back({point.seconds, std::max(point.bytes, point.high_bytes), 0});
  for (auto& [process, own] : by_process) {
    std::ranges::stable_sort(own, {}, &reader::ResidentSample::seconds);
    const double end = end_of_process(info, process);
    size_t next = 0;
    uint64_t resident = 0;
    for (MemoryPoint& point : points) {
      // The highest sample since the previous point, else the last one before.
      uint64_t highest = next < own.size() && own[next].seconds <= point.seconds ? 0 : resident;
      for (; next < own.size() && own[next].seconds <= point.seconds; ++next) {
        resident = own[next].bytes;
        highest = std::max(highest, resident);
      }
      if (point.seconds <= end) point.resident_bytes += highest;
    }
  }
  return points;
}

}  // namespace memlens::report
