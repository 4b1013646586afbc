// The options every report has, and what they select.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"
#include "report/terminal/stack_report.h"
#include "report/view/code_origin.h"
#include "report/view/stack_list.h"
#include "report/view/view.h"

namespace memlens::report::cli {

struct ReportOptions {
  std::string capture_path;
  reader::Query query;
  std::string from, to;        // as they were given: seconds, or the name of a mark
  std::optional<bool> native;  // unset: shown when the capture has native stacks
  reader::TaskFrames tasks = reader::TaskFrames::kHidden;
  bool use_cache = true;
  OwnCodeOptions own_code;
};

// CAPTURE.
void add_capture_argument(CLI::App& command, std::string& path);

// CAPTURE, --pid, --thread, --from, --to, --at-exit, --native/--no-native, --tasks, --own,
// --project, --no-cache.
void add_report_options(CLI::App& command, ReportOptions& options);

// --threshold: what the temporary view counts.
void add_threshold_option(CLI::App& command, ReportOptions& options);

// -n N.
void add_count_option(CLI::App& command, size_t& count, const std::string& description);

// -n N, --frames N: how much is shown of a list of stacks.
struct StackListOptions {
  std::optional<size_t> count;  // unset: ten to read, every one as JSON
  size_t lines_per_stack = StackReportLimits{}.lines_per_stack;
};
void add_stack_list_options(CLI::App& command, StackListOptions& options,
                            const std::string& count_description);

// --json.
void add_json_option(CLI::App& command, bool& json);

// --view NAME, one of the four views.
void add_view_option(CLI::App& command, View& view, const std::string& description);

// Opens the capture; a capture that ended early is warned of on stderr. Throws CaptureError, also
// when the process or thread asked for is not in it.
reader::Capture open_capture(ReportOptions& options);

// On stderr, what of the capture is not in the report because it makes no sense.
void warn_of_left_out(const reader::CaptureInfo& info,
                      const std::vector<reader::LeftOut>& left_out);

// What `query` gives, from the cache where it is there.
reader::Analysis analyze(const ReportOptions& options, const reader::Capture& capture,
                         const reader::Query& query);

// Whether native frames are shown.
bool shows_native(const ReportOptions& options, const reader::Capture& capture);

// Whose code the frames of the capture are.
CodeOrigins code_origins(const ReportOptions& options, const reader::Capture& capture);

// The frames shown of a node. The capture must outlive it.
FramesOf shown_frames(const ReportOptions& options, const reader::Capture& capture);

}  // namespace memlens::report::cli
