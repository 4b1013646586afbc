// Rules about what rises, what was never freed, and what levelled off.

#include <algorithm>
#include <cmath>

#include "reader/text/units.h"
#include "report/explain/findings.h"

namespace memlens::report {
namespace {

// Less than this, or than this part of the peak where it is not much, is not worth a sentence.
constexpr uint64_t kWorthBytes = 32'000;
constexpr uint64_t kMuchBytes = 1'000'000;
constexpr double kWorthOfPeak = 0.02;
// A recording must show a rise for this long before it is called a leak: everything rises while it
// is being built.
constexpr double kLeakSeconds = 1;
// A leak goes on to the very end: the least last_pace().
constexpr double kStillRising = 0.25;
// Of programs that free what they have before they exit: blocks left over one line are a leak.
constexpr uint64_t kLeftBlocks = 10;
constexpr double kLeftOfPeak = 0.1;
// A cache that is full replaces: more was allocated there than it holds.
constexpr double kReplaced = 1.3;
constexpr double kLargeCache = 0.3;
constexpr double kFull = 0.95;  // of what it has in the end
// Of the time, how long it must have been full: any work that ends with its data at hand was so for
// a moment.
constexpr double kLevelShare = 0.3;
constexpr size_t kRisingSteps = 3;
constexpr size_t kListed = 3;
constexpr double kSecondsOfDay = 86'400;
// From so long a rise on one can say what a day of it would be.
constexpr double kDaySeconds = 60;
constexpr double kForeseeableSeconds = 30 * kSecondsOfDay;

bool is_worth_telling(const GrowingPlace& place, const Evidence& evidence) {
  const double least = kWorthOfPeak * static_cast<double>(program_peak(evidence));
  const uint64_t gained = place.gained_bytes;
  return gained >= kWorthBytes && (gained >= kMuchBytes || static_cast<double>(gained) >= least);
}

std::string rate_text(double bytes_per_second, double seconds) {
  std::string rate = format_bytes(rounded(bytes_per_second)) + "/s";
  if (seconds >= kDaySeconds) {
    rate += " (" + format_bytes(rounded(bytes_per_second * kSecondsOfDay)) + " a day)";
  }
  return rate;
}

// When what is left of the limit is gone; empty: nothing is known of it, or it is far away.
std::string limit_text(const Evidence& evidence, double bytes_per_second) {
  const std::optional<reader::MemoryLimit>& limit = evidence.answers.limit;
  if (!limit || evidence.answers.killed_for || evidence.query.to_seconds) return "";
  const uint64_t left = limit->limit_bytes - std::min(limit->limit_bytes, limit->used_bytes);
  const double seconds = static_cast<double>(left) / bytes_per_second;
  if (!(seconds < kForeseeableSeconds)) return "";
  return " At that rate " +
         std::string(limit->of_cgroup ? "its cgroup's limit of " : "the machine's memory of ") +
         format_bytes(limit->limit_bytes) + ", of which " + format_bytes(limit->used_bytes) +
         " was used, is met after " + format_seconds(seconds) + " more.";
}

std::string stacks_text(size_t stacks) {
  return stacks > 1 ? " through " + format_count_of(stacks, "stack") : "";
}

void add_rise(const Evidence& evidence, const GrowingPlace& place, std::vector<Finding>& findings) {
  const double seconds = evidence.analysis.growth->seconds.back() - place.since_seconds;
  const bool long_enough = seconds >= kLeakSeconds;
  // What the program itself could still free when it ended is kept, not lost.
  const bool freed_at_exit = place.freed_at_exit;
  if (freed_at_exit && !long_enough) return;
  const bool leaks = long_enough && !freed_at_exit;
  Finding finding;
  finding.kind = leaks ? FindingKind::kLeak : FindingKind::kGrowth;
  finding.severity = leaks ? Severity::kHigh : Severity::kMedium;
  finding.certainty = leaks ? Certainty::kLikely : Certainty::kPossible;
  finding.bytes = place.gained_bytes;
  finding.place = place.frame;
  finding.text = place_text(*place.frame, evidence.info) + " gained " +
                 format_bytes(place.gained_bytes) + " since " +
                 format_seconds(place.since_seconds) + stacks_text(place.stacks) + ", ";
  const std::string rising = evidence.info.running ? "and is still rising: "
                             : freed_at_exit       ? "and rose until the program freed "
                                                   : "and was still rising at the end: ";
  const std::string rate = long_enough ? rate_text(place.bytes_per_second, seconds) + ", " : "";
  finding.text += rate + rising +
                  (freed_at_exit ? "what it had, at its end: kept for as long as it runs."
                   : leaks       ? "a leak, unless all of it is meant to be kept."
                                 : "too short a time to tell a leak from what was being built.");
  if (leaks) finding.text += limit_text(evidence, place.bytes_per_second);
  findings.push_back(finding);
}

// Python's objects are freed, or not, by its shutdown; what says nothing about a leak.
void add_never_freed(const Evidence& evidence, std::vector<Finding>& findings) {
  if (evidence.info.python || !evidence.info.complete || evidence.query.to_seconds) return;
  if (evidence.info.processes.size() != 1 || evidence.info.processes[0].signal) return;
  const reader::Totals& totals = evidence.analysis.totals;
  size_t listed = 0;
  for (const Location& line : evidence.answers.leaks) {
    const bool large = static_cast<double>(line.tally.bytes) >=
                       kLeftOfPeak * static_cast<double>(totals.peak_bytes);
    if (!large || listed == kListed) break;
    if (line.tally.blocks < kLeftBlocks) continue;
    if (evidence.origins.of(*line.frame) > CodeOrigin::kPackage) continue;
    const bool told = std::ranges::any_of(findings, [&](const Finding& finding) {
      return finding.kind == FindingKind::kLeak && finding.place == line.frame;
    });
    if (told) continue;
    ++listed;
    std::erase_if(findings, [&](const Finding& finding) {
      return finding.kind == FindingKind::kGrowth && finding.place == line.frame;
    });
    Finding finding;
    finding.kind = FindingKind::kLeak;
    finding.severity = Severity::kHigh;
    finding.certainty = Certainty::kLikely;
    finding.bytes = line.tally.bytes;
    finding.place = line.frame;
    finding.text = place_text(*line.frame, evidence.info) + " left " +
                   format_bytes(line.tally.bytes) + " in " +
                   format_count_of(line.tally.blocks, "block") + " that the program never freed, " +
                   format_share(line.tally.bytes, totals.leaked_bytes) +
                   " of what was still allocated at the end.";
    findings.push_back(finding);
  }
}

// What a program loads before it begins its work is no cache.
bool is_loading(const Evidence& evidence, const GrowingPlace& place) {
  const std::string_view source = place.frame->source;
  if (source.starts_with("import ") || source.starts_with("from ")) return true;
  return evidence.origins.of(*place.frame) > CodeOrigin::kPackage;
}

void add_cache(const Evidence& evidence, const GrowingPlace& place,
               std::vector<Finding>& findings) {
  if (is_loading(evidence, place)) return;
  const auto gained = static_cast<double>(place.gained_bytes);
  const bool replaces = static_cast<double>(place.allocated_bytes) >= kReplaced * gained;
  const bool large = gained >= kLargeCache * static_cast<double>(program_peak(evidence));
  // In a step or two: data that was loaded.
  size_t rising = 0;
  for (size_t i = 1; i < place.points.size(); ++i) {
    if (place.points[i].bytes > place.points[i - 1].bytes) ++rising;
  }
  const double seconds = evidence.analysis.growth->seconds.back() - place.since_seconds;
  if (!large || rising < kRisingSteps || seconds < kLeakSeconds) return;
  const auto full = std::ranges::find_if(place.points, [&](const reader::GrowthPoint& point) {
    return static_cast<double>(point.bytes) >= kFull * gained;
  });
  const auto mark = static_cast<size_t>(full - place.points.begin());
  const auto level = static_cast<double>(place.points.size() - 1 - mark);
  if (level < kLevelShare * static_cast<double>(place.points.size())) return;
  Finding finding;
  finding.kind = FindingKind::kCache;
  finding.severity = replaces ? Severity::kMedium : Severity::kLow;
  finding.certainty = replaces ? Certainty::kLikely : Certainty::kPossible;
  finding.bytes = place.gained_bytes;
  finding.place = place.frame;
  finding.text = place_text(*place.frame, evidence.info) + " rose to " +
                 format_bytes(place.gained_bytes) + " until " +
                 format_seconds(evidence.analysis.growth->seconds[mark]) + " and stayed there: " +
                 (replaces ? "a cache that is full." : "data that is kept, or a cache.");
  findings.push_back(finding);
}

}  // namespace

void find_growth(const Evidence& evidence, std::vector<Finding>& findings) {
  size_t rises = 0;
  for (const GrowingPlace& place : evidence.answers.growing.places) {
    if (place.shape != GrowthShape::kLeak || !is_worth_telling(place, evidence)) continue;
    if (rises == kListed || last_pace(place.points) < kStillRising) continue;
    ++rises;
    add_rise(evidence, place, findings);
  }
  add_never_freed(evidence, findings);
  size_t caches = 0;
  for (const GrowingPlace& place : evidence.answers.growing.places) {
    if (place.shape != GrowthShape::kCache || caches == kListed) continue;
    if (!is_worth_telling(place, evidence)) continue;
    ++caches;
    add_cache(evidence, place, findings);
  }
}

}  // namespace memlens::report
