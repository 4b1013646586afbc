// The capture format's version. FORMAT.md says what each number promises.
#pragma once

#include <cstdint>

namespace memlens::format {

// A reader refuses a capture with a larger major number, reads all smaller ones, and any minor one:
// minor versions only add frame kinds, metadata record types and JSON members, all of which a
// reader skips by length.
inline constexpr uint16_t kVersionMajor = 2;
inline constexpr uint16_t kVersionMinor = 1;

}  // namespace memlens::format
