// Where the Python interpreter's evaluation loop is, so that its frames are recognised.
#pragma once

#include <cstdint>

#include "interposer/stacks/unwind_objects.h"

namespace memlens::interposer {

// Looks for the loop, once; to be called when Python's stacks can be taken. Does not allocate. The
// caches are the calling thread's.
void find_evaluation_loop(unwind::ObjectCache& objects, unwind::CfiScratch& scratch);

// A frame whose code is at `address` runs the loop: an entry frame of Python's lies in it. Whether
// that was news. Any thread; takes a private lock briefly.
bool learn_evaluation_loop(uintptr_t address, unwind::ObjectCache& objects,
                           unwind::CfiScratch& scratch);

// Whether what a loop's frame calls is an opcode's handler: part of the loop. Any thread, no lock.
bool has_opcode_handlers();

// Whether the code at `address` is part of the loop. Any thread, no lock.
bool is_evaluation_loop(uintptr_t address);

}  // namespace memlens::interposer
