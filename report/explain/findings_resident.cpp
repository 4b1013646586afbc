// Rules about RSS: what is in memory and no block, freed and still in memory, asked for and not.

#include <algorithm>
#include <cmath>
#include <functional>

#include "reader/text/units.h"
#include "report/explain/findings.h"
#include "report/explain/findings_allocators.h"
#include "report/view/live_bytes.h"

namespace memlens::report {
namespace {

constexpr uint64_t kWorthGapBytes = 32'000'000;
// Of RSS: an interpreter and its libraries are about ten megabytes of any.
constexpr double kGapShare = 0.3;
constexpr double kKeptShare = 0.5;
constexpr double kStaysHigh = 0.6;
constexpr double kReserveShare = 0.3;
constexpr uint64_t kReserveBytes = 16'000'000;
// Of the peak: from there on it is what is to be told of the program. A library's is smaller.
constexpr uint64_t kLargeReserve = 4;
// The program's end takes its memory away: samples of the last part say nothing.
constexpr double kBeforeEnd = 0.98;
constexpr size_t kSamplesInRow = 3;
constexpr double kPartsNearSeconds = 6;  // the collector looks every five seconds at first
constexpr double kPartsNearShare = 0.05;
constexpr uint64_t kManyThreadHeaps = 4;
constexpr double kFreeNearSeconds = 0.5;
// Of the gap.
constexpr double kWorthNamingOfGap = 0.05;

// Until then the program itself decided what to free: an interpreter that shuts down frees all
// there is, and the kernel takes it a moment later.
double end_of_use(const Evidence& evidence) {
  double end = kBeforeEnd * evidence.info.duration_seconds;
  if (!evidence.analysis.shutdowns.empty()) {
    end = std::min(end, evidence.analysis.shutdowns.back().seconds);
  }
  return end;
}

double near_seconds(const Evidence& evidence) {
  return kPartsNearSeconds + kPartsNearShare * evidence.info.duration_seconds;
}

// The parts of the resident set at about that moment; nullptr: not known.
const format::ResidentParts* parts_near(const Evidence& evidence, double seconds, uint64_t rss) {
  const format::ResidentParts* nearest = nullptr;
  double distance = near_seconds(evidence);
  for (const reader::ResidentPartsSample& sample : evidence.parts) {
    const double away = std::abs(sample.seconds - seconds);
    if (away > distance || sample.parts.resident > rss + rss / 8) continue;
    nearest = &sample.parts;
    distance = away;
  }
  return nearest;
}

void add_kept(const Evidence& evidence, std::vector<Finding>& findings) {
  const ResidentMemory& resident = evidence.answers.resident;
  // Of several processes, pages that they share count in each.
  if (!resident.highest || evidence.info.processes.size() != 1 || evidence.query.pid) return;
  const reader::Totals& totals = evidence.analysis.totals;
  const double end = end_of_use(evidence);
  const uint64_t gap_at_peak = resident.untracked.value_or(0);
  size_t in_row = 0;
  uint64_t kept = 0;
  uint64_t rss = 0;
  uint64_t live = 0;
  double at = 0;
  for (const reader::ResidentSample& sample : evidence.samples) {
    if (sample.seconds <= totals.peak_seconds || sample.seconds > end) continue;
    if (!is_in_range(evidence.query, sample.seconds)) continue;
    const uint64_t now = live_bytes_at(evidence.analysis, sample.seconds);
    const uint64_t gap = sample.bytes - std::min(sample.bytes, now);
    const bool keeps =
        gap >= gap_at_peak + kWorthGapBytes &&
        static_cast<double>(gap) >= kKeptShare * static_cast<double>(sample.bytes) &&
        static_cast<double>(sample.bytes) >= kStaysHigh * static_cast<double>(*resident.highest);
    in_row = keeps ? in_row + 1 : 0;
    if (in_row < kSamplesInRow) continue;
    kept = gap - gap_at_peak;
    rss = sample.bytes;
    live = now;
    at = sample.seconds;
  }
  if (kept == 0) return;
  // Files and shared memory are no memory of an allocator's.
  const format::ResidentParts* parts = parts_near(evidence, at, rss);
  if (parts != nullptr) kept = std::min(kept, parts->anonymous - std::min(parts->anonymous, live));
  if (kept < kWorthGapBytes) return;
  Finding finding;
  finding.kind = FindingKind::kFragmentation;
  finding.severity = Severity::kMedium;
  finding.certainty = Certainty::kLikely;
  finding.bytes = kept;
  finding.text = "At " + format_seconds(at) + " " + format_bytes(live) +
                 " was allocated, yet RSS stayed at " + format_bytes(rss) + ": ";
  const std::optional<HeldFree> holder =
      find_holder(evidence, {at, near_seconds(evidence), kept, rss - std::min(rss, live)});
  if (holder) {
    finding.certainty = Certainty::kMeasured;
    finding.bytes = holder->bytes;
    finding.text += holder->text;
  } else {
    finding.text += "about " + format_bytes(kept) +
                    " had been freed and was kept by the allocator (malloc_trim gives it back, "
                    "unless blocks that live lie in between).";
  }
  if (!holder && parts != nullptr && parts->thread_heaps >= kManyThreadHeaps &&
      parts->thread_heap_bytes >= kept / 2) {
    finding.text += " malloc had " + format_count(parts->thread_heaps) +
                    " heaps for threads, with " + format_bytes(parts->thread_heap_bytes) +
                    " in memory: fewer arenas (MALLOC_ARENA_MAX=2) share what is free.";
  }
  // Freed is what had made the peak.
  if (!evidence.answers.peak.empty()) finding.place = evidence.answers.peak[0].frame;
  findings.push_back(finding);
}

// What memory that is no block is, the largest first: "45.1 MB shared memory, ...".
std::string parts_text(const format::ResidentParts& parts, uint64_t tracked, uint64_t gap,
                       uint64_t free_in_allocators) {
  const uint64_t no_blocks = parts.anonymous - std::min(parts.anonymous, tracked);
  const uint64_t free = std::min(free_in_allocators, no_blocks);
  std::vector<std::pair<uint64_t, const char*>> named = {
      {parts.files, "code, data and files"},
      {parts.shared, "shared memory"},
      {parts.stack, "the main thread's stack"},
      {parts.recorder, "what memlens shares with the program"},
      {free, "free in the allocator (as it said)"},
      {no_blocks - free,
       free != 0 ? "other anonymous memory that is no block (what allocators need themselves, "
                   "threads' stacks)"
                 : "anonymous memory that is no block (freed and kept by allocators, what they "
                   "need themselves, threads' stacks)"}};
  std::ranges::sort(named, std::greater());
  std::string text;
  for (const auto& [bytes, name] : named) {
    if (static_cast<double>(bytes) < kWorthNamingOfGap * static_cast<double>(gap)) break;
    text += (text.empty() ? "" : ", ") + format_bytes(bytes) + " " + name;
  }
  return text;
}

// What was in memory at a moment and is no recorded block.
struct Gap {
  std::string moment;  // "RSS at the peak was"
  uint64_t resident = 0;
  uint64_t tracked = 0;
  const std::optional<ResidentPartsAt>* parts = nullptr;
  double seconds = 0;

  uint64_t bytes() const { return resident - std::min(resident, tracked); }
};

// Of several processes, RSS says what they share once each: PSS, where it is known, says it once.
bool says_proportional(const std::optional<ResidentPartsAt>& at) {
  return at && at->processes.size() > 1 && at->sum.proportional != 0;
}

// Where RSS was highest, when that says a good deal more than the peak of the blocks does.
Gap most_telling_gap(const Evidence& evidence) {
  const ResidentMemory& resident = evidence.answers.resident;
  if (const auto& at = evidence.answers.resident_parts; says_proportional(at)) {
    return {
        "The processes' memory at the peak, with pages that they share counted once (PSS), was ",
        at->sum.proportional, evidence.analysis.totals.peak_bytes, nullptr, 0};
  }
  Gap gap{"RSS at the peak was ", resident.at_peak.value_or(0), evidence.analysis.totals.peak_bytes,
          &evidence.answers.resident_parts, evidence.analysis.totals.peak_seconds};
  if (!resident.highest_seconds || *resident.highest_seconds > end_of_use(evidence)) return gap;
  const Gap highest{"RSS was highest at " + format_seconds(*resident.highest_seconds) + ", with ",
                    *resident.highest, live_bytes_at(evidence.analysis, *resident.highest_seconds),
                    &evidence.answers.resident_parts_highest, *resident.highest_seconds};
  return highest.bytes() > gap.bytes() + gap.bytes() / 4 ? highest : gap;
}

void add_gap(const Evidence& evidence, std::vector<Finding>& findings) {
  const Gap gap = most_telling_gap(evidence);
  const uint64_t bytes = gap.bytes();
  if (bytes < kWorthGapBytes) return;
  if (static_cast<double>(bytes) < kGapShare * static_cast<double>(gap.resident)) return;
  Finding finding;
  finding.kind = FindingKind::kRssGap;
  finding.severity = Severity::kMedium;
  finding.bytes = bytes;
  finding.text = gap.moment + format_bytes(gap.resident) + ", of which " + format_bytes(bytes) +
                 " is no recorded block: ";
  // What one process says near a moment is not what all of them held at it.
  const uint64_t free = evidence.info.processes.size() == 1
                            ? free_in_allocators(evidence, gap.seconds, kFreeNearSeconds)
                            : 0;
  const std::string named = gap.parts != nullptr && *gap.parts
                                ? parts_text((*gap.parts)->sum, gap.tracked, bytes, free)
                                : "";
  finding.text += named.empty() ? "code and data of the program and its libraries, files, stacks, "
                                  "shared memory, or what its allocators hold free"
                                : named;
  finding.text += ".";
  findings.push_back(finding);
}

void add_reserve(const Evidence& evidence, std::vector<Finding>& findings) {
  const uint64_t untouched = evidence.analysis.totals.untouched_at_peak_bytes.value_or(0);
  const uint64_t peak = evidence.analysis.totals.peak_bytes;
  if (untouched < kReserveBytes ||
      static_cast<double>(untouched) < kReserveShare * static_cast<double>(untouched + peak)) {
    return;
  }
  Finding finding;
  finding.kind = FindingKind::kReserve;
  finding.severity = untouched > kLargeReserve * peak ? Severity::kMedium : Severity::kLow;
  finding.bytes = untouched;
  finding.text = format_bytes(untouched) +
                 " was mapped and never touched: address space, not memory, and left out of the "
                 "peak.";
  findings.push_back(finding);
}

}  // namespace

void find_resident(const Evidence& evidence, std::vector<Finding>& findings) {
  add_kept(evidence, findings);
  find_arenas(evidence, end_of_use(evidence), findings);
  add_gap(evidence, findings);
  add_reserve(evidence, findings);
}

}  // namespace memlens::report
