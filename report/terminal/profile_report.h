// The line table of a function that a program asked for, as users of memory_profiler know it.
#pragma once

#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "report/view/source_lines.h"

namespace memlens::report {

// `source`: the lines of its file, where that is still as it was recorded; empty: only the lines
// that hold something are listed, as the capture has them.
void print_line_table(std::ostream& out, const reader::ProfiledFunction& function,
                      std::span<const SourceLine> lines, const std::vector<std::string>& source);

}  // namespace memlens::report
