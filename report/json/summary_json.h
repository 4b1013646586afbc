// "memlens.summary/1": the totals of a capture for programs to read.
#pragma once

#include <ostream>

#include "report/explain/summary.h"

namespace memlens::report {

// `locations`: how many of each view are listed; 0: all.
void write_summary_json(std::ostream& out, const Summary& summary, size_t locations);

}  // namespace memlens::report
