#include "report/explain/findings_allocators.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "reader/text/units.h"
#include "report/view/live_bytes.h"

namespace memlens::report {
namespace {

using format::AllocatorName;
using format::AllocatorStatistics;

constexpr uint64_t kWorthHeldBytes = 32'000'000;
// Of what was kept, an allocator that holds so much of it is who keeps it.
constexpr double kHoldsShare = 0.5;
// Of what is free, what must be in whole pages for giving it back to be worth a call.
constexpr double kReleasesShare = 0.3;
constexpr uint64_t kManyArenas = 4;

bool is_part(uint64_t part, double share, uint64_t whole) {
  return static_cast<double>(part) >= share * static_cast<double>(whole);
}

// Whether the blocks of then were about those of `seconds`: what was free once others had been
// freed is no answer.
bool has_blocks_of(const Evidence& evidence, const reader::AllocatorSample& sample,
                   double seconds) {
  constexpr uint64_t kSlackBytes = 4'000'000;
  const uint64_t then = live_bytes_at(evidence.analysis, sample.seconds);
  const uint64_t now = live_bytes_at(evidence.analysis, seconds);
  return std::max(then, now) - std::min(then, now) <= now / 4 + kSlackBytes;
}

// Those of running moments come first, where `end_counts_less`.
const reader::AllocatorSample* nearest(const Evidence& evidence, AllocatorName name, double seconds,
                                       double near_seconds, double after, bool end_counts_less) {
  const reader::AllocatorSample* best = nullptr;
  const auto rank = [&](const reader::AllocatorSample& sample) {
    return std::pair(end_counts_less && sample.moment == format::StatisticsMoment::kEnd,
                     std::abs(sample.seconds - seconds));
  };
  for (const reader::AllocatorSample& sample : evidence.allocators) {
    if (sample.allocator != name || sample.seconds <= after) continue;
    if (!is_in_range(evidence.query, sample.seconds)) continue;
    if (std::abs(sample.seconds - seconds) > near_seconds) continue;
    if (!has_blocks_of(evidence, sample, seconds)) continue;
    if (best == nullptr || rank(sample) < rank(*best)) best = &sample;
  }
  return best;
}

// "..., 120 MB of that in 12 arenas of threads, ...".
std::string arenas_text(const AllocatorStatistics& statistics) {
  return format_bytes(statistics.thread_arenas_free) + " of that in " +
         format_count(statistics.arenas - 1) +
         " arenas of threads, where other threads hardly look: fewer arenas (MALLOC_ARENA_MAX=2) "
         "share what is free";
}

bool keeps_in_arenas(const AllocatorStatistics& statistics) {
  return statistics.arenas > kManyArenas && statistics.thread_arenas_free >= kWorthHeldBytes &&
         is_part(statistics.thread_arenas_free, kHoldsShare, statistics.free);
}

// `bytes`: of what was kept, what it held free.
std::string held_by_glibc(const AllocatorStatistics& statistics, uint64_t bytes,
                          uint64_t releasable) {
  std::string text = "malloc held " + format_bytes(statistics.held) + ", of which " +
                     format_bytes(statistics.free) + " was free";
  const bool in_arenas = keeps_in_arenas(statistics);
  if (in_arenas) text += ", " + arenas_text(statistics);
  if (is_part(releasable, kReleasesShare, bytes)) {
    return text + ". malloc_trim(0) would have given back about " + format_bytes(releasable) + ".";
  }
  if (in_arenas) return text + ".";
  return text +
         ", in pieces between live blocks: malloc_trim(0) would have given back only about " +
         format_bytes(releasable) + ".";
}

std::string held_by_jemalloc(const AllocatorStatistics& statistics, uint64_t bytes,
                             uint64_t releasable) {
  const std::string text = "jemalloc had " + format_bytes(statistics.held) +
                           " in memory, of which " + format_bytes(statistics.free) +
                           " was in no block, ";
  if (is_part(releasable, kReleasesShare, bytes)) {
    return text + format_bytes(releasable) +
           " of that in unused pages, which a shorter dirty_decay_ms gives back sooner.";
  }
  return text + "most of it in pages with live blocks: purging would have given back only about " +
         format_bytes(releasable) + ".";
}

std::string held_by_pymalloc(const AllocatorStatistics& statistics, uint64_t, uint64_t) {
  return "CPython's " + format_count(statistics.arenas) + " arenas for small objects held " +
         format_bytes(statistics.held) + ", of which " + format_bytes(statistics.free) +
         " was in no object: an arena is given back when its last object is freed, and those "
         "that live are spread over all.";
}

// What is free need not be in memory: trimmed, or never written to.
bool has_free_in_memory(const Evidence& evidence, const reader::AllocatorSample& sample) {
  const uint64_t free = sample.statistics.thread_arenas_free;
  const bool was_in_memory = std::ranges::any_of(evidence.parts, [&](const auto& parts) {
    return parts.process_index == sample.process_index &&
           is_part(parts.parts.thread_heap_bytes, kHoldsShare, free);
  });
  const auto resident = std::ranges::min_element(
      evidence.samples, {},
      [&](const reader::ResidentSample& each) { return std::abs(each.seconds - sample.seconds); });
  if (!was_in_memory || resident == evidence.samples.end()) return false;
  const uint64_t live = live_bytes_at(evidence.analysis, sample.seconds);
  return is_part(resident->bytes - std::min(resident->bytes, live), kHoldsShare, free);
}

}  // namespace

std::optional<HeldFree> find_holder(const Evidence& evidence, const KeptMemory& kept) {
  const double peak = evidence.analysis.totals.peak_seconds;
  std::optional<HeldFree> holder;
  struct Description {
    AllocatorName name;
    std::string (*describe)(const AllocatorStatistics&, uint64_t bytes, uint64_t releasable);
  };
  for (const auto& [name, describe] : {Description{AllocatorName::kGlibc, held_by_glibc},
                                       Description{AllocatorName::kJemalloc, held_by_jemalloc},
                                       Description{AllocatorName::kPymalloc, held_by_pymalloc}}) {
    const reader::AllocatorSample* sample =
        nearest(evidence, name, kept.seconds, kept.near_seconds, peak, true);
    if (sample == nullptr) continue;
    const AllocatorStatistics& statistics = sample->statistics;
    const uint64_t bytes = std::min(kept.bytes, statistics.free);
    if (!is_part(bytes, kHoldsShare, kept.bytes) || (holder && bytes <= holder->bytes)) continue;
    // What the program has given back by malloc_trim is free still, and not in memory.
    const uint64_t releasable = std::min(statistics.releasable, kept.no_block);
    holder = {bytes, describe(statistics, bytes, releasable)};
  }
  return holder;
}

uint64_t free_in_allocators(const Evidence& evidence, double seconds, double near_seconds) {
  uint64_t free = 0;
  for (const AllocatorName name :
       {AllocatorName::kGlibc, AllocatorName::kJemalloc, AllocatorName::kPymalloc}) {
    const reader::AllocatorSample* sample =
        nearest(evidence, name, seconds, near_seconds, -1, false);
    if (sample != nullptr) free += sample->statistics.free;
  }
  return free;
}

void find_arenas(const Evidence& evidence, double end_of_use, std::vector<Finding>& findings) {
  const bool said = std::ranges::any_of(
      findings, [](const Finding& each) { return each.kind == FindingKind::kFragmentation; });
  // One thread's blocks say nothing about what is in memory.
  if (said || evidence.info.processes.size() != 1 || evidence.query.tid) return;
  const reader::AllocatorSample* worst = nullptr;
  for (const reader::AllocatorSample& sample : evidence.allocators) {
    const AllocatorStatistics& statistics = sample.statistics;
    if (sample.seconds > end_of_use || !is_in_range(evidence.query, sample.seconds) ||
        !keeps_in_arenas(statistics) || !is_part(statistics.free, kHoldsShare, statistics.held) ||
        !has_free_in_memory(evidence, sample)) {
      continue;
    }
    if (worst == nullptr || statistics.thread_arenas_free > worst->statistics.thread_arenas_free) {
      worst = &sample;
    }
  }
  if (worst == nullptr) return;
  Finding finding;
  finding.kind = FindingKind::kFragmentation;
  finding.severity = Severity::kMedium;
  finding.bytes = worst->statistics.thread_arenas_free;
  finding.text = "At " + format_seconds(worst->seconds) + " malloc held " +
                 format_bytes(worst->statistics.held) + ", of which " +
                 format_bytes(worst->statistics.free) + " was free, " +
                 arenas_text(worst->statistics) + ".";
  findings.push_back(finding);
}

}  // namespace memlens::report
