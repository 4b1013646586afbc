// memlens diff, as text.
#pragma once

#include <ostream>

#include "report/terminal/stack_report.h"
#include "report/view/stack_diff.h"

namespace memlens::report {

// A stack is marked as the capture that it is shown of has it.
void print_diff_report(std::ostream& out, const Terminal& terminal,
                       const reader::CaptureInfo& old_info, const reader::CaptureInfo& new_info,
                       View view, const StackDiff& diff, const CodeOrigins& old_origins,
                       const CodeOrigins& new_origins, const StackReportLimits& limits);

}  // namespace memlens::report
