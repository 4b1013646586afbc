#include "report/view/resident_curves.h"

#include <algorithm>

namespace memlens::report {
namespace {

size_t point_of(const TimeAxis& axis, double seconds) {
  const double length = axis.to_seconds - axis.from_seconds;
  if (!(length > 0)) return 0;
  const double share = (seconds - axis.from_seconds) / length;
  return static_cast<size_t>(std::clamp(share * static_cast<double>(axis.points), 0.0,
                                        static_cast<double>(axis.points - 1)));
}

std::vector<uint64_t> resample(std::vector<reader::ResidentSample> samples, double end_seconds,
                               const TimeAxis& axis) {
  std::ranges::sort(samples, {}, &reader::ResidentSample::seconds);
  std::vector<uint64_t> values(axis.points, 0);
  uint64_t last = 0;
  size_t filled = 0;  // points below it are final but for samples within them
  for (const reader::ResidentSample& sample : samples) {
    if (sample.seconds > axis.to_seconds) break;
    const size_t point = sample.seconds < axis.from_seconds ? 0 : point_of(axis, sample.seconds);
    for (; filled < point; ++filled) values[filled] = std::max(values[filled], last);
    last = sample.bytes;
    values[point] = sample.seconds < axis.from_seconds ? last : std::max(values[point], last);
  }
  for (; filled < axis.points; ++filled) values[filled] = std::max(values[filled], last);
  if (end_seconds < axis.to_seconds) {
    for (size_t point = point_of(axis, end_seconds) + 1; point < axis.points; ++point) {
      values[point] = 0;
    }
  }
  return values;
}

}  // namespace

std::map<uint32_t, std::vector<uint64_t>> resident_curves(
    const reader::CaptureInfo& info, std::span<const reader::ResidentSample> samples,
    const TimeAxis& axis) {
  std::map<uint32_t, std::vector<reader::ResidentSample>> by_process;
  for (const reader::ResidentSample& sample : samples) {
    by_process[sample.process_index].push_back(sample);
  }
  std::map<uint32_t, std::vector<uint64_t>> values;
  for (auto& [process, own] : by_process) {
    const auto known = std::ranges::find(info.processes, process, &reader::ProcessInfo::index);
    const double end =
        known != info.processes.end() && known->end_seconds ? *known->end_seconds : axis.to_seconds;
    values[process] = resample(std::move(own), end, axis);
  }
  return values;
}

}  // namespace memlens::report
