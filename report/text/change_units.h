// How much more or less: units.h with a sign.
#pragma once

#include <cstdint>
#include <string>

namespace memlens::report {

// "+1.20 MB", "-310 B", "+0 B".
std::string format_bytes_change(int64_t bytes);
std::string format_count_change(int64_t count);

// From one to the other: "+22.6 %", "-100 %", "x 12.0", "new" from nothing to something.
std::string format_relative_change(uint64_t before, uint64_t after);

}  // namespace memlens::report
