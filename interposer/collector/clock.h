// Moments on the clocks a capture speaks of.
#pragma once

#include <cstdint>

#include "interposer/collector/capture_writer.h"

namespace memlens::collector {

int64_t monotonic_ns();

// Ticks and both clocks, read as closely together as the machine allows.
Moment read_moment();

// Writes a clock frame with the pair of this moment.
bool append_clock_frame(CaptureWriter& writer);

}  // namespace memlens::collector
