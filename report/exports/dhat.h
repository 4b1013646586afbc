// DHAT's version 2, as valgrind's dh_view and the Firefox Profiler open it: every stack with all it
// allocated, what it held at the peak (t-gmax) and at the end (t-end). Two things of a stack it
// asks for are not in a capture: the blocks' lifetimes (0), and the stack's own maximum, for which
// the larger of the two moments stands.
#pragma once

#include <ostream>

#include "report/exports/export_source.h"

namespace memlens::report {

void write_dhat(std::ostream& out, const ExportSource& source);

}  // namespace memlens::report
