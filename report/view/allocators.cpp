#include "report/view/allocators.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "report/view/live_bytes.h"

namespace memlens::report {
namespace {

// Allocators are asked where memory has grown by an eighth, so near a peak; what they said further
// away says nothing about it.
constexpr double kNearSeconds = 0.3;
constexpr double kNearShare = 0.02;
constexpr double kNearPeak = 0.8;  // what was allocated then, of the peak

// A moment later most of the peak may be free, and what the allocators hold free is not the peak's.
bool is_near_peak(const reader::Analysis& analysis, double seconds) {
  return static_cast<double>(live_bytes_at(analysis, seconds)) >=
         kNearPeak * static_cast<double>(analysis.totals.peak_bytes);
}

}  // namespace

std::string_view allocator_name(format::AllocatorName name) {
  switch (name) {
    case format::AllocatorName::kGlibc:
      return "glibc";
    case format::AllocatorName::kJemalloc:
      return "jemalloc";
    case format::AllocatorName::kMimalloc:
      return "mimalloc";
    case format::AllocatorName::kPymalloc:
      return "pymalloc";
  }
  return "unknown";
}

bool tells_free(format::AllocatorName name) { return name != format::AllocatorName::kMimalloc; }

std::string_view moment_name(format::StatisticsMoment moment) {
  switch (moment) {
    case format::StatisticsMoment::kRunning:
      return "running";
    case format::StatisticsMoment::kMark:
      return "mark";
    case format::StatisticsMoment::kEnd:
      return "end";
  }
  return "unknown";
}

std::vector<AllocatorHeld> allocators_at_peak(const reader::Capture& capture,
                                              const reader::Analysis& analysis,
                                              const reader::Query& query) {
  const reader::CaptureInfo& info = capture.info();
  const double seconds = analysis.totals.peak_seconds;
  if (query.tid) return {};
  const double near = std::max(kNearSeconds, kNearShare * info.duration_seconds);
  using Key = std::pair<format::AllocatorName, uint32_t>;
  std::map<Key, const reader::AllocatorSample*> nearest;
  for (const reader::AllocatorSample& sample : capture.allocator_samples()) {
    const double away = std::abs(sample.seconds - seconds);
    if (away > near || !is_near_peak(analysis, sample.seconds)) continue;
    const auto process =
        std::ranges::find(info.processes, sample.process_index, &reader::ProcessInfo::index);
    if (process == info.processes.end() || (query.pid && process->pid != *query.pid)) continue;
    if (process->start_seconds > seconds ||
        (process->end_seconds && *process->end_seconds < seconds)) {
      continue;
    }
    const reader::AllocatorSample*& best = nearest[{sample.allocator, sample.process_index}];
    if (best == nullptr || std::abs(best->seconds - seconds) > away) best = &sample;
  }
  std::vector<AllocatorHeld> held;
  for (const auto& [key, sample] : nearest) {
    if (held.empty() || held.back().allocator != key.first) held.push_back({key.first, 0, {}});
    held.back().seconds = std::max(held.back().seconds, sample->seconds);
    for (const auto field : format::kAllocatorStatisticsFields) {
      held.back().statistics.*field += sample->statistics.*field;
    }
  }
  std::ranges::stable_sort(held, std::greater(),
                           [](const AllocatorHeld& each) { return each.statistics.held; });
  return held;
}

}  // namespace memlens::report
