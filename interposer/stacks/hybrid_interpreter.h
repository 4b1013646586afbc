// Where the Python interpreter's evaluation loop is, so that its frames are recognised.
#pragma once

#include <cstdint>

namespace memlens::interposer {

// Whether the code at `address` is part of the loop. Any thread, no lock.
bool is_evaluation_loop(uintptr_t address);

}  // namespace memlens::interposer
