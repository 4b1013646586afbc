// memlens growing, as text.
#pragma once

#include <ostream>
#include <vector>

#include "report/terminal/stack_report.h"
#include "report/view/growing.h"

namespace memlens::report {

// `growth` has the marks. `limits.stacks` is how many lines are listed; of leaking ones, a few
// stacks follow.
void print_growing_report(std::ostream& out, const Terminal& terminal,
                          const reader::CaptureInfo& info, const reader::Growth& growth,
                          const Growing& growing, const FrameTree& tree, const CodeOrigins& origins,
                          const StackReportLimits& limits);

}  // namespace memlens::report
