#pragma once

#include <cstdint>

#include "reader/analysis/analysis.h"

namespace memlens::report {

// In blocks at that moment, all processes together.
uint64_t live_bytes_at(const reader::Analysis& analysis, double seconds);

}  // namespace memlens::report
