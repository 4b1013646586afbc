#include "report/view/resident.h"

#include <algorithm>
#include <map>
#include <vector>

namespace memlens::report {
namespace {

// A sample further away than this from the moment asked about says nothing about it. Samples come
// twenty times a second at first; of long recordings, whose samples are further apart, the part of
// the time that two of them span.
constexpr double kNearSeconds = 0.2;
constexpr double kNearShare = 0.002;

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

// The highest sum at any moment: the sum changes with each sample, and when a process ends.
uint64_t highest_sum(const reader::CaptureInfo& info,
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
  uint64_t highest = 0;
  for (const Change& change : changes) {
    uint64_t& own = now[change.process];
    sum = sum - own + change.bytes;
    own = change.bytes;
    highest = std::max(highest, sum);
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
  const double near = std::max(kNearSeconds, kNearShare * info.duration_seconds);
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
  if (!processes.empty()) memory.highest = std::max(highest_sum(info, processes), high_water);
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

}  // namespace memlens::report
