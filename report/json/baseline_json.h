// "memlens.baseline/1": what `memlens check` compares with, stored beside the code it is about: a
// small JSON that can be reviewed, not a capture.
#pragma once

#include <ostream>
#include <string>

#include "report/view/check.h"

namespace memlens::report {

// The totals and, of each view, the heaviest places.
void write_baseline_json(std::ostream& out, const reader::CaptureInfo& info,
                         const CheckFacts& facts);

// Also of what `memlens summary --json` writes. `name` is for messages. Throws std::runtime_error.
CheckFacts read_baseline_json(const std::string& text, const std::string& name);

}  // namespace memlens::report
