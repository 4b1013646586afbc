#include "report/html/page_curves.h"

#include <algorithm>
#include <map>

#include "report/view/resident_curves.h"

namespace memlens::report::html {
namespace {

using reader::RangeMatrix;

// More lines than this tell nobody anything.
constexpr size_t kProcessesShown = 6;

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

  auto resident = resident_curves(info, samples, {ranges.from_seconds, ranges.to_seconds, points});
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
