// The call tree of a view, root first, as text.
#pragma once

#include <ostream>

#include "report/terminal/terminal.h"
#include "report/view/call_tree.h"

namespace memlens::report {

struct TreeLimits {
  double min_share = 0.01;     // of the whole; lighter branches become one line of others
  size_t lines_per_chain = 4;  // of a chain of single callees; 0: all
};

void print_tree_report(std::ostream& out, const Terminal& terminal, const reader::CaptureInfo& info,
                       const reader::Totals& totals, View view, const CallTree& tree,
                       const TreeLimits& limits);

}  // namespace memlens::report
