// Stands in for the interposer's definitions: nodes in a table that a test can read back.
#pragma once

#include <cstdint>

namespace memlens::native_stacks_test {

// Frames of a stack, innermost first, labels left out. `label`: there was one.
int frames_of(uint32_t node, uintptr_t* addresses, int capacity, bool& label);

}  // namespace memlens::native_stacks_test
