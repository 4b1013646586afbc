// A capture on one screen: totals, and the lines of source that matter.
#pragma once

#include <ostream>

#include "report/explain/summary.h"
#include "report/terminal/terminal.h"

namespace memlens::report {

// `locations`: how many of each view are listed; 0: all.
void print_summary_report(std::ostream& out, const Terminal& terminal, const Summary& summary,
                          size_t locations);

}  // namespace memlens::report
