// Unwind information that anybody may have written.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memlens::testing {

// Looks for the row of the instruction `distance` bytes from the start of a copy of the section
// (.eh_frame_hdr and what follows it), behind whose last byte nothing may be read. Whether there is
// one.
bool unwinds(const uint8_t* section, size_t bytes, int32_t distance);

}  // namespace memlens::testing
