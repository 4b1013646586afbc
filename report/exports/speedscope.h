// speedscope's own format (https://www.speedscope.app/file-format-schema.json): one sampled profile
// whose samples are the view's stacks and whose weights are their bytes.
#pragma once

#include <ostream>

#include "report/exports/export_source.h"

namespace memlens::report {

void write_speedscope(std::ostream& out, const ExportSource& source, View view);

}  // namespace memlens::report
