// memlens growing, as text.
#pragma once

#include <ostream>
#include <vector>

#include "report/terminal/stack_report.h"
#include "report/view/growing.h"

namespace memlens::report {

// `marks`: when the stacks' points were, in seconds.
void print_growing_report(std::ostream& out, const Terminal& terminal,
                          const reader::CaptureInfo& info, const std::vector<double>& marks,
                          const std::vector<GrowingStack>& stacks, const FrameTree& tree,
                          const CodeOrigins& origins, const StackReportLimits& limits);

}  // namespace memlens::report
