// The picture of memory over time as an SVG file, for tickets and papers. Needs no font, script or
// network beyond what every viewer has.
#pragma once

#include <ostream>

#include "report/view/memory_over_time.h"

namespace memlens::report {

void write_timeline_svg(std::ostream& out, const TimelinePicture& picture);

}  // namespace memlens::report
