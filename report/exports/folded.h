// Folded stacks, as flamegraph.pl, inferno and speedscope read them: "outer;inner;leaf 4096", one
// line a stack, its bytes last.
#pragma once

#include <ostream>

#include "report/exports/export_source.h"

namespace memlens::report {

void write_folded(std::ostream& out, const ExportSource& source, View view);

}  // namespace memlens::report
