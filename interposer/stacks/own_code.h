// The code of this library, whose frames are not the program's.
#pragma once

#include <cstdint>

#include "interposer/stacks/unwind_objects.h"

namespace memlens::interposer {

// Empty while not known, and for good when it is linked into a program (the tests).
extern uintptr_t own_code_start;
extern uintptr_t own_code_bytes;
extern bool own_code_known;

inline bool is_own_code(uintptr_t address) { return address - own_code_start < own_code_bytes; }

void find_own_code(unwind::ObjectCache& objects);

}  // namespace memlens::interposer
