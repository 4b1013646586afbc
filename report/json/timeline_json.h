// "memlens.timeline/1": memory over time, for programs that draw it.
#pragma once

#include <ostream>

#include "report/view/memory_over_time.h"

namespace memlens::report {

void write_timeline_json(std::ostream& out, const TimelinePicture& picture);

}  // namespace memlens::report
