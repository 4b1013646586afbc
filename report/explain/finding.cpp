#include "report/explain/finding.h"

namespace memlens::report {

std::string_view finding_kind_name(FindingKind kind) {
  constexpr std::string_view kNames[] = {
      "oom",     "killed",  "incomplete",   "untracked_allocator",
      "leak",    "growth",  "churn",        "fragmentation",
      "rss_gap", "reserve", "copied_pages", "shared_pages",
      "peak",    "cache"};
  return kNames[static_cast<unsigned>(kind)];
}

std::string_view finding_title(FindingKind kind) {
  constexpr std::string_view kTitles[] = {
      "Out of memory", "Killed",  "Incomplete",   "Untracked allocator",
      "Leak",          "Growth",  "Churn",        "Freed memory kept",
      "RSS gap",       "Reserve", "Copied pages", "Shared pages",
      "Peak",          "Cache"};
  return kTitles[static_cast<unsigned>(kind)];
}

std::string_view severity_name(Severity severity) {
  constexpr std::string_view kNames[] = {"high", "medium", "low"};
  return kNames[static_cast<unsigned>(severity)];
}

std::string_view certainty_name(Certainty certainty) {
  constexpr std::string_view kNames[] = {"measured", "likely", "possible"};
  return kNames[static_cast<unsigned>(certainty)];
}

std::string finding_title(const Finding& finding) {
  std::string title(finding_title(finding.kind));
  if (finding.certainty != Certainty::kMeasured)
    title += " (" + std::string(certainty_name(finding.certainty)) + ")";
  return title;
}

}  // namespace memlens::report
