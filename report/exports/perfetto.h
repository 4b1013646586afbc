// A Perfetto trace with a heap profile, as ui.perfetto.dev and trace_processor open it.
//
// For each process one dump. Without a view a stack has what it allocated and what of it was freed,
// so the UI's "unreleased" is what is still allocated; with the peak's view it has what was alive
// at the peak (self_max), which the format keeps apart.
#pragma once

#include <ostream>

#include "report/exports/export_source.h"

namespace memlens::report {

void write_perfetto(std::ostream& out, const ExportSource& source, bool peak);

}  // namespace memlens::report
