#include "report/html/page_curves.h"

#include <algorithm>
#include <map>

namespace memlens::report::html {
namespace {

using reader::RangeMatrix;

// More lines than this tell nobody anything.
constexpr size_t kProcessesShown = 6;

struct Axis {
  double from_seconds;
  double to_seconds;
  size_t points;

  size_t point_of(double seconds) const {
    const double length = to_seconds - from_seconds;
    if (!(length > 0)) return 0;
    const double share = (seconds - from_seconds) / length;
    return static_cast<size_t>(
        std::clamp(share * static_cast<double>(points), 0.0, static_cast<double>(points - 1)));
  }
};

// A process's resident set per point: the largest sample within it, or the last one before. None
// before its first sample, nor after its end.
std::vector<uint64_t> resample(std::vector<reader::ResidentSample> samples, double end_seconds,
                               const Axis& axis) {
  std::ranges::sort(samples, {}, &reader::ResidentSample::seconds);
  std::vector<uint64_t> values(axis.points, 0);
  uint64_t last = 0;
  size_t filled = 0;  // points below it are final but for samples within them
  for (const reader::ResidentSample& sample : samples) {
    if (sample.seconds > axis.to_seconds) break;
    const size_t point = sample.seconds < axis.from_seconds ? 0 : axis.point_of(sample.seconds);
    for (; filled < point; ++filled) values[filled] = std::max(values[filled], last);
    last = sample.bytes;
    values[point] = sample.seconds < axis.from_seconds ? last : std::max(values[point], last);
  }
  for (; filled < axis.points; ++filled) values[filled] = std::max(values[filled], last);
  if (end_seconds < axis.to_seconds) {
    for (size_t point = axis.point_of(end_seconds) + 1; point < axis.points; ++point) {
      values[point] = 0;
    }
  }
  return values;
}

std::map<uint32_t, std::vector<uint64_t>> resident_of_processes(
    const reader::CaptureInfo& info, const std::vector<reader::ResidentSample>& samples,
    const Axis& axis) {
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

uint64_t largest(const std::vector<uint64_t>& values) {
  return values.empty() ? 0 : *std::ranges::max_element(values);
}

}  // namespace

std::vector<PageCurve> build_curves(const reader::Analysis& analysis,
                                    const reader::CaptureInfo& info,
                                    const std::vector<reader::ResidentSample>& samples) {
  const RangeMatrix& ranges = *analysis.ranges;
  PageCurve heap{"heap", 0, {}};
  PageCurve heap_high{"heap_high", 0, {}};
  for (const reader::TimelinePoint& point : analysis.timeline) {
    heap.values.push_back(point.bytes);
    heap_high.values.push_back(point.high_bytes);
  }
  const size_t points = analysis.timeline.size();
  std::vector<PageCurve> curves{std::move(heap), std::move(heap_high)};

  const Axis axis{ranges.from_seconds, ranges.to_seconds, points};
  auto resident = resident_of_processes(info, samples, axis);
  if (!resident.empty() && points > 0) {
    PageCurve sum{"resident", 0, std::vector<uint64_t>(points, 0)};
    for (const auto& [process, values] : resident) {
      for (size_t point = 0; point < points; ++point) sum.values[point] += values[point];
    }
    curves.push_back(std::move(sum));
  }

  std::vector<reader::ProcessCurve> processes = ranges.processes;
  if (processes.size() < 2) return curves;
  std::ranges::stable_sort(processes, std::greater{}, [](const reader::ProcessCurve& curve) {
    return largest(curve.high_bytes);
  });
  if (processes.size() > kProcessesShown) processes.resize(kProcessesShown);
  std::ranges::sort(processes, {}, &reader::ProcessCurve::process_index);
  for (reader::ProcessCurve& curve : processes) {
    curves.push_back({"heap", curve.process_index, std::move(curve.high_bytes)});
    if (const auto own = resident.find(curve.process_index); own != resident.end()) {
      curves.push_back({"resident", curve.process_index, std::move(own->second)});
    }
  }
  return curves;
}

}  // namespace memlens::report::html
