// Moments on the clocks a capture speaks of.
#pragma once

#include <cstdint>

#include "interposer/collector/capture_writer.h"

namespace memlens::collector {

int64_t monotonic_ns();

// Whether the kernel itself keeps time by the tick counter: it has then found the counters of all
// cores to agree and to run at one rate. False where that cannot be told.
bool ticks_are_steady();

// Ticks and both clocks, read as closely together as the machine allows.
Moment read_moment();

// Writes a clock frame with the pair of this moment.
bool append_clock_frame(CaptureWriter& writer);

}  // namespace memlens::collector
