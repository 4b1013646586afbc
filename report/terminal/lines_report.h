// memlens lines, as text: the heaviest lines, or the listing of a file with what its lines hold.
#pragma once

#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "report/terminal/terminal.h"
#include "report/view/source_lines.h"

namespace memlens::report {

// `limit`: the first lines; 0: all.
void print_lines_report(std::ostream& out, const Terminal& terminal,
                        const reader::CaptureInfo& info, const reader::Totals& totals,
                        std::span<const SourceLine> lines, size_t limit);

// `source`: the file's lines, where it is still as it was recorded; empty: only the lines that hold
// something are shown, as the capture has them.
void print_file_listing(std::ostream& out, const Terminal& terminal,
                        const reader::CaptureInfo& info, std::span<const SourceLine> lines,
                        const std::vector<std::string>& source);

// Whether what the capture stored of the lines is what the file says.
bool is_same_source(std::span<const SourceLine> lines, const std::vector<std::string>& source);

}  // namespace memlens::report
