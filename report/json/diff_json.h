// "memlens.diff/1": two captures side by side, for programs to read.
#pragma once

#include <ostream>

#include "report/view/stack_diff.h"

namespace memlens::report {

// `limit`: only the stacks that changed most; 0: all. The totals are always the whole view's.
void write_diff_json(std::ostream& out, const reader::CaptureInfo& old_info,
                     const reader::CaptureInfo& new_info, View view, const StackDiff& diff,
                     size_t limit);

}  // namespace memlens::report
