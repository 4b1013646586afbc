// A row a stack and thread, for spreadsheets, databases and data frames (RFC 4180, with a header).
//
//   view, bytes, blocks, pid, thread, function, file, line, stack
//
// function, file and line are of the innermost line of the program's own code; stack is all
// functions, outermost first. A text that a spreadsheet would take for a formula begins with an
// apostrophe.
#pragma once

#include <ostream>
#include <span>

#include "report/exports/export_source.h"

namespace memlens::report {

void write_csv(std::ostream& out, const ExportSource& source, std::span<const View> views);

}  // namespace memlens::report
