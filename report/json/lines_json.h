// "memlens.lines/1": what each source line holds, for programs to read.
#pragma once

#include <ostream>
#include <span>

#include "report/view/source_lines.h"

namespace memlens::report {

// The totals are the capture's, whichever lines are given.
void write_lines_json(std::ostream& out, const reader::CaptureInfo& info,
                      const reader::Totals& totals, std::span<const SourceLine> lines);

}  // namespace memlens::report
