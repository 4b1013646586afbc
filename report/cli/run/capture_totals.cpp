#include "report/cli/run/capture_totals.h"

#include <algorithm>
#include <exception>

#include "reader/analysis/cached_analysis.h"
#include "reader/capture/capture.h"
#include "reader/capture/left_out_text.h"
#include "reader/text/units.h"
#include "report/cli/options/cache_options.h"
#include "report/explain/answers.h"
#include "report/terminal/explain_report.h"

namespace memlens::report::cli {
namespace {

// A few seconds of reading; `memlens summary` is there for the rest.
constexpr uint64_t kMaxFileBytes = 200'000'000;
constexpr size_t kMaxSites = 300'000;  // whose frames are looked up

// What the program's own line, or the list of what was left out, has said already.
bool was_told(const Finding& finding, const reader::CaptureInfo& info) {
  return std::ranges::any_of(info.diagnostics, [&](const reader::Diagnostic& diagnostic) {
    return finding.kind == FindingKind::kIncomplete &&
           finding.text.find(diagnostic.text) != std::string::npos;
  });
}

}  // namespace

CaptureCheck check_capture(const std::string& path, bool events) {
  CaptureCheck check;
  try {
    const reader::Capture capture = reader::Capture::open(path, cache_options());
    const reader::CaptureInfo& info = capture.info();
    check.profiled_functions = !info.profiled_functions.empty();
    const auto add = [&](const std::vector<reader::LeftOut>& list) {
      for (const reader::LeftOut& entry : list)
        check.left_out.push_back(reader::describe(entry, info));
    };
    add(info.left_out);
    if (!events || info.file_bytes > kMaxFileBytes) return check;
    const reader::Analysis analysis =
        reader::analyze_cached(capture, answers_query({}), cache_options());
    add(analysis.left_out);
    const reader::Totals& totals = analysis.totals;
    const char* about = info.sample_bytes != 0 ? "about " : "";
    check.totals = about + format_count_of(totals.allocations, "allocation") + ", " +
                   format_bytes(totals.peak_bytes) + " at the peak, " +
                   format_bytes(totals.leaked_bytes) +
                   (totals.leaked_bytes > totals.peak_bytes && info.processes.size() > 1
                        ? " still allocated, adding up each process's end"
                        : " still allocated");
    if (analysis.sites.size() > kMaxSites) return check;
    const FramesOf frames_of = [&](uint32_t process, uint32_t node) {
      return capture.frames(process, node, info.native_stacks);
    };
    const Answers answers = find_answers(capture, analysis, {}, frames_of, CodeOrigins(info));
    for (const Finding& finding : answers.findings) {
      if (check.findings.size() == kFirstFindings) break;
      if (!was_told(finding, info)) check.findings.push_back(finding.text);
    }
  } catch (const std::exception& error) {
    check.problem = error.what();
  }
  return check;
}

}  // namespace memlens::report::cli
