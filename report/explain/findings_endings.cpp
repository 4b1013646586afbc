// Rules about the recording itself: what ended the program, and what the numbers lack.

#include <algorithm>
#include <csignal>

#include "reader/capture/left_out_text.h"
#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/explain/findings.h"
#include "report/text/signal_name.h"

namespace memlens::report {
namespace {

// How far back "shortly before the end" goes.
constexpr double kLastSeconds = 5;

// "in the last 5.000 s +61.0 MB, 88.0 % of it at f (a.py:3)"; empty: nothing rose.
std::string last_rise(const Evidence& evidence, const reader::Frame*& place) {
  const std::vector<double>& seconds = evidence.analysis.growth->seconds;
  size_t from = seconds.size() - 1;
  while (from > 0 && seconds.back() - seconds[from - 1] <= kLastSeconds) --from;
  from = std::min(from, seconds.size() >= 2 ? seconds.size() - 2 : 0);
  int64_t rose = 0;
  int64_t most = 0;
  const GrowingPlace* top = nullptr;
  for (const GrowingPlace& each : evidence.answers.growing.places) {
    const int64_t gain = static_cast<int64_t>(each.points.back().bytes) -
                         static_cast<int64_t>(each.points[from].bytes);
    rose += gain;
    if (gain > most) {
      most = gain;
      top = &each;
    }
  }
  if (rose <= 0 || top == nullptr) return "";
  place = top->frame;
  return "in the last " + format_seconds(seconds.back() - seconds[from]) + " it gained " +
         format_bytes(static_cast<uint64_t>(rose)) + ", " +
         format_share(static_cast<uint64_t>(std::min(most, rose)), static_cast<uint64_t>(rose)) +
         " of it at " + place_text(*top->frame, evidence.info);
}

void add_kill(const Evidence& evidence, std::vector<Finding>& findings) {
  if (evidence.info.processes.empty() || evidence.query.pid) return;
  const std::optional<int> signal = ending_signal(evidence.info);
  if (!signal) return;
  // An exec continues the process that it replaces.
  const std::vector<reader::ProcessInfo>& processes = evidence.info.processes;
  const reader::ProcessInfo& first = *std::ranges::find(
      processes.rbegin(), processes.rend(), processes.front().pid, &reader::ProcessInfo::pid);
  const std::vector<reader::TimelinePoint>& timeline = evidence.analysis.timeline;
  Finding finding;
  finding.kind = FindingKind::kKilled;
  finding.severity = Severity::kHigh;
  const std::optional<reader::MemoryLimit>& limit = evidence.answers.killed_for;
  finding.text = "The program was ended by " + signal_name(*signal);
  if (first.end_seconds) finding.text += " at " + format_seconds(*first.end_seconds);
  if (limit) {
    finding.kind = FindingKind::kOom;
    finding.text += ": killed by the kernel at " + format_bytes(limit->used_bytes) + " of " +
                    format_bytes(limit->limit_bytes) +
                    (limit->of_cgroup ? ", its cgroup's limit" : ", all of the machine's memory") +
                    ",";
  }
  uint64_t live = 0;
  for (const reader::TimelinePoint& point : timeline) {
    if (first.end_seconds && point.seconds >= *first.end_seconds) break;
    live = point.bytes;
  }
  finding.bytes = live;
  finding.text += " with " + format_bytes(live) + " allocated";
  uint64_t rss = 0;
  for (const reader::ResidentSample& sample : evidence.samples) {
    if (sample.process_index == first.index) rss = sample.bytes;
  }
  if (rss != 0) finding.text += " and an RSS of " + format_bytes(rss);
  if (const std::string rise = last_rise(evidence, finding.place); !rise.empty()) {
    finding.text += "; " + rise;
  }
  finding.text += *signal == SIGKILL && !limit
                      ? " (SIGKILL is what the kernel sends when memory runs out; others may)."
                      : ".";
  findings.push_back(finding);
}

std::string sentence(const std::string& text) {
  std::string result = printable(text);
  if (!result.empty() && !result.ends_with('.')) result += ".";
  return result;
}

void add_note(FindingKind kind, Severity severity, const std::string& text,
              std::vector<Finding>& findings) {
  Finding finding;
  finding.kind = kind;
  finding.severity = severity;
  finding.text = sentence(text);
  findings.push_back(finding);
}

}  // namespace

void find_endings(const Evidence& evidence, std::vector<Finding>& findings) {
  add_kill(evidence, findings);
  const reader::CaptureInfo& info = evidence.info;
  if (info.running) {
    add_note(FindingKind::kIncomplete, Severity::kLow, "The recording " + info.early_end, findings);
  } else if (!info.complete) {
    add_note(FindingKind::kIncomplete, Severity::kHigh,
             "The recording " + info.early_end + "; its numbers end at " +
                 format_seconds(info.duration_seconds),
             findings);
  }
  for (const std::vector<reader::LeftOut>* list : {&info.left_out, &evidence.analysis.left_out}) {
    for (const reader::LeftOut& each : *list) {
      add_note(FindingKind::kIncomplete, Severity::kMedium,
               "Of what was recorded, " + reader::describe(each, info), findings);
    }
  }
  const reader::Totals& totals = evidence.analysis.totals;
  if (totals.lost_events != 0) {
    add_note(FindingKind::kIncomplete, Severity::kMedium,
             format_count_of(totals.lost_events, "event") +
                 " could not be recorded; the totals lack them",
             findings);
  }
  for (const reader::Diagnostic& diagnostic : info.diagnostics) {
    switch (diagnostic.code) {
      case format::DiagnosticCode::kStaticAllocator:
        add_note(FindingKind::kUntrackedAllocator, Severity::kHigh, diagnostic.text, findings);
        break;
      case format::DiagnosticCode::kLeftOut:
        add_note(FindingKind::kIncomplete, Severity::kMedium, diagnostic.text, findings);
        break;
      case format::DiagnosticCode::kStopped:
      case format::DiagnosticCode::kPythonLayoutUnknown:
        add_note(FindingKind::kIncomplete, Severity::kHigh, diagnostic.text, findings);
        break;
      case format::DiagnosticCode::kUntrackedChild:
      case format::DiagnosticCode::kTableFull:
        add_note(FindingKind::kIncomplete, Severity::kLow, diagnostic.text, findings);
        break;
      default:
        break;
    }
  }
}

}  // namespace memlens::report
