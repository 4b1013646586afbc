// Rules about RSS: what is in memory and no block, freed and still in memory, asked for and not.

#include <algorithm>

#include "report/explain/findings.h"
#include "report/text/units.h"

namespace memlens::report {
namespace {

constexpr uint64_t kWorthGapBytes = 32'000'000;
// Of RSS: an interpreter and its libraries are about ten megabytes of any.
constexpr double kGapShare = 0.3;
constexpr double kKeptShare = 0.5;
constexpr double kStaysHigh = 0.6;
constexpr double kReserveShare = 0.3;
constexpr uint64_t kReserveBytes = 16'000'000;
// The program's end takes its memory away: samples of the last part say nothing.
constexpr double kBeforeEnd = 0.98;
constexpr size_t kSamplesInRow = 3;

uint64_t live_bytes_at(const reader::Analysis& analysis, double seconds) {
  const auto after =
      std::ranges::lower_bound(analysis.timeline, seconds, {}, &reader::TimelinePoint::seconds);
  if (after == analysis.timeline.end()) return 0;
  // The highest around it: what is freed within a point of the curve is not kept.
  uint64_t bytes = std::max(after->bytes, after->high_bytes);
  if (after != analysis.timeline.begin()) bytes = std::max(bytes, std::prev(after)->bytes);
  return bytes;
}

// Until then the program itself decided what to free: an interpreter that shuts down frees all
// there is, and the kernel takes it a moment later.
double end_of_use(const Evidence& evidence) {
  double end = kBeforeEnd * evidence.info.duration_seconds;
  if (!evidence.analysis.shutdowns.empty()) {
    end = std::min(end, evidence.analysis.shutdowns.back().seconds);
  }
  return end;
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
  Finding finding;
  finding.kind = FindingKind::kFragmentation;
  finding.severity = Severity::kMedium;
  finding.certainty = Certainty::kLikely;
  finding.bytes = kept;
  finding.text = "At " + format_seconds(at) + " " + format_bytes(live) +
                 " was allocated, yet RSS stayed at " + format_bytes(rss) + ": about " +
                 format_bytes(kept) +
                 " had been freed and was kept by the allocator (malloc_trim gives it back, unless "
                 "blocks that live lie in between).";
  // Freed is what had made the peak.
  if (!evidence.answers.peak.empty()) finding.place = evidence.answers.peak[0].frame;
  findings.push_back(finding);
}

void add_gap(const Evidence& evidence, std::vector<Finding>& findings) {
  const ResidentMemory& resident = evidence.answers.resident;
  if (!resident.untracked || *resident.untracked < kWorthGapBytes) return;
  if (static_cast<double>(*resident.untracked) <
      kGapShare * static_cast<double>(*resident.at_peak)) {
    return;
  }
  Finding finding;
  finding.kind = FindingKind::kRssGap;
  finding.severity = Severity::kMedium;
  finding.bytes = resident.untracked;
  finding.text = "RSS at the peak was " + format_bytes(*resident.at_peak) + ", of which " +
                 format_bytes(*resident.untracked) +
                 " is no recorded block: code and data of the program and its libraries, files, "
                 "stacks, shared memory, or what its allocators hold free.";
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
  finding.severity = untouched > peak ? Severity::kMedium : Severity::kLow;
  finding.bytes = untouched;
  finding.text = format_bytes(untouched) +
                 " was mapped and never touched: address space, not memory, and left out of the "
                 "peak.";
  findings.push_back(finding);
}

}  // namespace

void find_resident(const Evidence& evidence, std::vector<Finding>& findings) {
  add_kept(evidence, findings);
  add_gap(evidence, findings);
  add_reserve(evidence, findings);
}

}  // namespace memlens::report
