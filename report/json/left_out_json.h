// What of the capture makes no sense and is not in the report, as every JSON report tells it.
#pragma once

#include <vector>

#include "reader/capture/capture.h"
#include "reader/file/left_out.h"
#include "report/json/json_writer.h"

namespace memlens::report {

// The member `left_out`: an empty array, as a rule. `events` are the analysis's.
void write_left_out(JsonWriter& json, const reader::CaptureInfo& info,
                    const std::vector<reader::LeftOut>& events);

}  // namespace memlens::report
