#include "report/view/resident.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace memlens::report {
namespace {

// A sample further away than this from the moment asked about says nothing about it. Samples come
// twenty times a second at first; of long recordings, whose samples are further apart, the part of
// the time that two of them span.
constexpr double kNearSeconds = 0.2;
constexpr double kNearShare = 0.002;
// By so much of it may a resident set differ from another and tell what that was made of. The
// collector looks again where one has grown by an eighth.
constexpr uint64_t kSimilarPart = 6;
constexpr uint64_t kUnknownPart = 20;

// In time order, of one process.
using Samples = std::vector<reader::ResidentSample>;

std::map<uint32_t, Samples> by_process(const reader::CaptureInfo& info,
                                       std::span<const reader::ResidentSample> samples,
                                       const reader::Query& query) {
  std::map<uint32_t, Samples> result;
  for (const reader::ResidentSample& sample : samples) {
    const auto process =
        std::ranges::find(info.processes, sample.process_index, &reader::ProcessInfo::index);
    if (process == info.processes.end() || (query.pid && process->pid != *query.pid)) continue;
    if (query.from_seconds && sample.seconds < *query.from_seconds) continue;
    if (query.to_seconds && sample.seconds > *query.to_seconds) continue;
    result[sample.process_index].push_back(sample);
  }
  for (auto& [process, own] : result) {
    std::ranges::sort(own, {}, &reader::ResidentSample::seconds);
  }
  return result;
}

bool is_alive(const reader::CaptureInfo& info, uint32_t index, double seconds) {
  const auto process = std::ranges::find(info.processes, index, &reader::ProcessInfo::index);
  return process != info.processes.end() && process->start_seconds <= seconds &&
         (!process->end_seconds || seconds <= *process->end_seconds);
}

// The higher of the two samples around a moment: memory is touched after it is asked for, and given
// back before it is asked for again.
std::optional<uint64_t> around(const Samples& samples, double seconds, double near) {
  const auto after =
      std::ranges::lower_bound(samples, seconds, {}, &reader::ResidentSample::seconds);
  std::optional<uint64_t> bytes;
  if (after != samples.end() && after->seconds - seconds <= near) bytes = after->bytes;
  if (after != samples.begin() && seconds - std::prev(after)->seconds <= near) {
    bytes = std::max(bytes.value_or(0), std::prev(after)->bytes);
  }
  return bytes;
}

double near_seconds(const reader::CaptureInfo& info) {
  return std::max(kNearSeconds, kNearShare * info.duration_seconds);
}

// The nearest in time of those with about the same resident set.
const format::ResidentParts* nearest_parts(const std::vector<reader::ResidentPartsSample>& samples,
                                           uint32_t process, double seconds, uint64_t resident) {
  const format::ResidentParts* nearest = nullptr;
  double distance = 0;
  for (const reader::ResidentPartsSample& sample : samples) {
    if (sample.process_index != process) continue;
    const uint64_t bytes = sample.parts.resident;
    if (std::max(bytes, resident) - std::min(bytes, resident) > resident / kSimilarPart) continue;
    const double away = std::abs(sample.seconds - seconds);
    if (nearest != nullptr && away >= distance) continue;
    nearest = &sample.parts;
    distance = away;
  }
  return nearest;
}

// The highest sum at any moment: the sum changes with each sample, and when a process ends.
struct HighestSum {
  uint64_t bytes = 0;
  double seconds = 0;
};
HighestSum highest_sum(const reader::CaptureInfo& info,
                       const std::map<uint32_t, Samples>& processes) {
  struct Change {
    double seconds;
    uint32_t process;
    uint64_t bytes;
  };
  std::vector<Change> changes;
  for (const auto& [index, samples] : processes) {
    for (const reader::ResidentSample& sample : samples)
      changes.push_back({sample.seconds, index, sample.bytes});
    const auto process = std::ranges::find(info.processes, index, &reader::ProcessInfo::index);
    if (process->end_seconds) changes.push_back({*process->end_seconds, index, 0});
  }
  std::ranges::stable_sort(changes, {}, &Change::seconds);
  std::map<uint32_t, uint64_t> now;
  uint64_t sum = 0;
  HighestSum highest;
  for (const Change& change : changes) {
    uint64_t& own = now[change.process];
    sum = sum - own + change.bytes;
    own = change.bytes;
    if (sum > highest.bytes) highest = {sum, change.seconds};
  }
  return highest;
}

}  // namespace

ResidentMemory resident_memory(const reader::CaptureInfo& info,
                               std::span<const reader::ResidentSample> samples,
                               const reader::Totals& totals, const reader::Query& query) {
  ResidentMemory memory;
  // The kernel counts by process: of one thread's blocks there is no RSS.
  if (query.tid) return memory;
  const std::map<uint32_t, Samples> processes = by_process(info, samples, query);
  const double near = near_seconds(info);
  uint64_t high_water = 0;
  bool all_high_waters_known = true;
  for (const auto& [index, own] : processes) {
    const auto process = std::ranges::find(info.processes, index, &reader::ProcessInfo::index);
    high_water = std::max(high_water, process->high_water_bytes.value_or(0));
    if (!is_alive(info, index, totals.peak_seconds)) continue;
    all_high_waters_known &= process->high_water_bytes.has_value();
    if (const auto bytes = around(own, totals.peak_seconds, near))
      memory.at_peak = memory.at_peak.value_or(0) + *bytes;
  }
  if (!processes.empty()) {
    const HighestSum highest = highest_sum(info, processes);
    memory.highest = std::max(highest.bytes, high_water);
    if (highest.bytes > high_water - high_water / kSimilarPart) {
      memory.highest_seconds = highest.seconds;
    }
  }
  if (memory.at_peak) {
    memory.untracked = *memory.at_peak - std::min(*memory.at_peak, totals.peak_bytes);
  }
  memory.untouched = totals.untouched_at_peak_bytes;
  // No process ever had more in memory than its high-water mark.
  if (memory.highest && all_high_waters_known && totals.peak_bytes > *memory.highest) {
    memory.untouched = memory.untouched.value_or(0) + totals.peak_bytes - *memory.highest;
  }
  return memory;
}

std::optional<ResidentPartsAt> resident_parts_at(const reader::Capture& capture, double seconds,
                                                 const reader::Query& query) {
  if (query.tid || capture.resident_parts().empty()) return {};
  const reader::CaptureInfo& info = capture.info();
  ResidentPartsAt at;
  uint64_t known = 0;
  uint64_t unknown = 0;
  for (const auto& [process, samples] : by_process(info, capture.resident_samples(), query)) {
    if (!is_alive(info, process, seconds)) continue;
    const auto resident = around(samples, seconds, near_seconds(info));
    if (!resident) continue;
    const format::ResidentParts* parts =
        nearest_parts(capture.resident_parts(), process, seconds, *resident);
    (parts == nullptr ? unknown : known) += *resident;
    if (parts == nullptr) continue;
    at.processes[process] = *parts;
    for (const auto field : format::kResidentPartFields) at.sum.*field += parts->*field;
  }
  const bool all_looked_at = std::ranges::all_of(
      at.processes, [](const auto& process) { return process.second.proportional != 0; });
  if (!all_looked_at) at.sum.proportional = at.sum.own = 0;
  if (known == 0 || unknown > (known + unknown) / kUnknownPart) return {};
  return at;
}

}  // namespace memlens::report
