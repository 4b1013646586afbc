// The picture of memory over time as an SVG file, for tickets and papers. Needs no font, script or
// network beyond what every viewer has.
#pragma once

#include <ostream>
#include <span>
#include <string>

#include "reader/capture/capture.h"
#include "report/view/memory_over_time.h"

namespace memlens::report {

struct TimelinePicture {
  std::string title;
  std::span<const MemoryPoint> points;
  std::span<const reader::Mark> marks;
  uint64_t peak_bytes = 0;
  double peak_seconds = 0;
};

void write_timeline_svg(std::ostream& out, const TimelinePicture& picture);

}  // namespace memlens::report
