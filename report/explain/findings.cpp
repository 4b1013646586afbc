#include "report/explain/findings.h"

#include <algorithm>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/text/short_function.h"
#include "report/text/short_path.h"
#include "report/view/python_code.h"

namespace memlens::report {
namespace {

// Lines of the peak that are named, and the share below which one is not worth naming.
constexpr size_t kNamedLines = 3;
constexpr double kWorthNaming = 0.05;

// What the line held at the marks; null: nothing.
const GrowingPlace* curve_of(const Answers& answers, const reader::Frame* line) {
  for (const std::vector<GrowingPlace>* places : {&answers.growing.places, &answers.growing.gone}) {
    const auto found = std::ranges::find(*places, line, &GrowingPlace::frame);
    if (found != places->end()) return &*found;
  }
  return nullptr;
}

// The peak of everything but one line. Somewhere else there may be a moment nearly as high: what
// was highest between two marks, less what the line held at the nearer of them.
uint64_t peak_without(const Evidence& evidence, const Location& line) {
  const reader::Totals& totals = evidence.analysis.totals;
  uint64_t highest = totals.peak_bytes - std::min(totals.peak_bytes, line.tally.bytes);
  if (!evidence.analysis.growth) return highest;
  const std::vector<double>& marks = evidence.analysis.growth->seconds;
  const GrowingPlace* curve = curve_of(evidence.answers, line.frame);
  const auto held_at = [&](size_t mark) -> uint64_t {
    return curve != nullptr && mark < curve->points.size() ? curve->points[mark].bytes : 0;
  };
  for (const reader::TimelinePoint& point : evidence.analysis.timeline) {
    const size_t after =
        static_cast<size_t>(std::ranges::lower_bound(marks, point.seconds) - marks.begin());
    const double begin = after == 0 ? 0 : marks[after - 1];
    const double end = after < marks.size() ? marks[after] : evidence.info.duration_seconds;
    // Between these two marks it is known exactly, at the peak itself.
    if (begin <= totals.peak_seconds && totals.peak_seconds <= end) continue;
    const uint64_t held = std::max(after == 0 ? 0 : held_at(after - 1), held_at(after));
    if (point.high_bytes > held) highest = std::max(highest, point.high_bytes - held);
  }
  return std::min(highest, totals.peak_bytes);
}

}  // namespace

double part_of(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

bool is_in_range(const reader::Query& query, double seconds) {
  return seconds >= query.from_seconds.value_or(0) && seconds <= query.to_seconds.value_or(seconds);
}

uint64_t program_peak(const Evidence& evidence) {
  uint64_t bytes = evidence.analysis.totals.peak_bytes;
  for (const Location& line : evidence.answers.peak) {
    if (is_site_startup(*line.frame)) bytes -= std::min(bytes, line.tally.bytes);
  }
  return bytes;
}

std::string place_text(const reader::Frame& frame, const reader::CaptureInfo& info) {
  const std::string place = place_of(frame, info.working_directory);
  if (is_site_startup(frame)) {
    const bool by_customize = frame.function.ends_with("customize");
    return std::string("modules imported at Python's start by ") +
           (by_customize ? "sitecustomize" : "a .pth file") + " (" + place + ")";
  }
  const std::string function = short_function(frame.function, true);
  return place.empty() ? function : function + " (" + place + ")";
}

void find_peak(const Evidence& evidence, std::vector<Finding>& findings) {
  const reader::Totals& totals = evidence.analysis.totals;
  Finding finding;
  finding.kind = FindingKind::kPeak;
  finding.bytes = totals.peak_bytes;
  if (totals.peak_bytes == 0) {
    finding.text = evidence.info.has_gaps
                       ? "Nothing is left of what was recorded, if there was anything."
                       : "Nothing was allocated that memlens records.";
    findings.push_back(finding);
    return;
  }
  finding.text = "The peak was " + format_bytes(totals.peak_bytes) + " at " +
                 format_seconds(totals.peak_seconds) + " of " +
                 format_seconds(evidence.info.duration_seconds);
  const std::vector<Location>& lines = evidence.answers.peak;
  for (size_t i = 0; i < std::min(kNamedLines, lines.size()); ++i) {
    const uint64_t bytes = lines[i].tally.bytes;
    if (i > 0 && part_of(bytes, totals.peak_bytes) < kWorthNaming) break;
    finding.text += (i == 0 ? ": " : ", ") + format_share(bytes, totals.peak_bytes) +
                    (i == 0 ? " of it at " : " at ") + place_text(*lines[i].frame, evidence.info);
  }
  if (!lines.empty()) {
    const uint64_t rest = peak_without(evidence, lines[0]);
    const uint64_t saved = totals.peak_bytes - rest;
    finding.text += lines.size() > 1 ? ". Without the first of these lines" : ". Without that line";
    finding.text += part_of(saved, totals.peak_bytes) < kWorthNaming
                        ? " it would be hardly lower"
                        : " it would be about " + format_bytes(rest) + ", " +
                              format_share(saved, totals.peak_bytes) + " less";
  }
  finding.text += ".";
  if (!lines.empty()) finding.place = lines[0].frame;
  findings.push_back(finding);
}

std::vector<Finding> find_findings(const Evidence& evidence) {
  std::vector<Finding> findings;
  find_endings(evidence, findings);
  find_growth(evidence, findings);
  find_churn(evidence, findings);
  find_resident(evidence, findings);
  find_sharing(evidence, findings);
  find_peak(evidence, findings);
  // The order of the rules among equals.
  std::ranges::stable_sort(findings, {}, &Finding::severity);
  return findings;
}

}  // namespace memlens::report
