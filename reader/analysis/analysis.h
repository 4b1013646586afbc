// All views in one pass over the events.
#pragma once

#include "reader/analysis/results.h"
#include "reader/capture/capture.h"

namespace memlens::reader {

// One pass. Memory is proportional to unique sites and live blocks. Throws CaptureError on damage.
Analysis analyze(const Capture& capture, const Query& query);

}  // namespace memlens::reader
