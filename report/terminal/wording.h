// What the reports call things: one place, so that every report says the same.
#pragma once

#include <string>

#include "reader/analysis/analysis.h"
#include "report/terminal/terminal.h"
#include "report/view/stack_list.h"

namespace memlens::report {

// "Peak", "Still allocated", "Temporary", "Allocated in all".
std::string view_title(View view);

// Estimates with their standard error. "52.1 MB in 412,331 blocks, at 1.840 s of 2.310 s".
std::string view_amount(View view, const reader::Totals& totals, const reader::CaptureInfo& info,
                        const Terminal& terminal);

// The program's command line as one line: "python3 app.py --fast".
std::string command_text(const std::vector<std::string>& command);

// "python3 app.py · Python 3.11.2 · 2.310 s · 1 process, 1 thread · sampled, 1 per 512 KiB".
std::string capture_heading(const reader::CaptureInfo& info, const Terminal& terminal);

// "malloc 1.20 MB, PyObject_Malloc 300 kB": functions of the parts, the heaviest first.
std::string allocating_functions(const Stack& stack, View view, const reader::HeapTable& heaps);

// A share of the whole is hot or warm from some size on.
Paint paint_of_share(uint64_t part, uint64_t whole);

}  // namespace memlens::report
