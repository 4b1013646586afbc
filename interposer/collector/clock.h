// Moments on the clocks a capture speaks of.
#pragma once

#include <cstdint>

#include "interposer/collector/capture_writer.h"
#include "interposer/platform/clock.h"

namespace memlens::collector {

using platform::monotonic_ns;

// Ticks and both clocks, read as closely together as the machine allows.
Moment read_moment();

// The rate of the tick counter, rounded down, where the kernel itself keeps time by it: it has then
// found the counters of all cores to agree and to run at one rate. 0 where that cannot be told.
// Takes 0.2 ms.
uint32_t steady_ticks_per_us();

// Writes a clock frame with the pair of this moment.
bool append_clock_frame(CaptureWriter& writer);

}  // namespace memlens::collector
