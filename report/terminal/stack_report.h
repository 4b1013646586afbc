// The stacks of a view, the heaviest first, as text.
#pragma once

#include <ostream>

#include "report/terminal/terminal.h"
#include "report/view/code_origin.h"
#include "report/view/stack_list.h"

namespace memlens::report {

struct StackReportLimits {
  size_t stacks = 10;           // 0: all
  size_t lines_per_stack = 14;  // 0: all
};

// One stack, a line a frame, with a mark at the innermost line of the program's own code.
void print_stack_frames(std::ostream& out, const Terminal& terminal,
                        const reader::CaptureInfo& info, const FrameTree& tree,
                        FrameTree::NodeId leaf, const CodeOrigins& origins, size_t max_lines);

// `list` is grouped by frames.
void print_stack_report(std::ostream& out, const Terminal& terminal,
                        const reader::CaptureInfo& info, const reader::Totals& totals, View view,
                        const StackList& list, const FrameTree& tree, const CodeOrigins& origins,
                        const StackReportLimits& limits);

}  // namespace memlens::report
