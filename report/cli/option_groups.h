// The parts of add_report_options() that make sense for two captures as well.
#pragma once

#include "report/cli/report_options.h"

namespace memlens::report::cli {

// --from, --to, --at-exit.
void add_range_options(CLI::App& command, ReportOptions& options);

// --native/--no-native, --own, --project, --no-cache.
void add_frame_options(CLI::App& command, ReportOptions& options);

}  // namespace memlens::report::cli
