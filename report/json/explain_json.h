// "memlens.explain/1": the findings of a capture for programs to read.
#pragma once

#include <ostream>
#include <vector>

#include "report/explain/finding.h"

namespace memlens::report {

void write_explain_json(std::ostream& out, const reader::CaptureInfo& info,
                        const std::vector<Finding>& findings);

}  // namespace memlens::report
