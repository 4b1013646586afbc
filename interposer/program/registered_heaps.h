// The heaps of libraries' allocators in the capture, and the functions that allocate from them:
// what has been registered keeps its number when its library is gone, and is the same again when it
// comes back.
#pragma once

#include <cstddef>

#include "interposer/format/allocation_kind.h"
#include "interposer/program/allocator_names.h"

namespace memlens::interposer {

// One thread at a time may register: whoever holds a LoaderReading.

// False: no room for so many functions more, or for another heap of each allocator.
bool can_register_functions(size_t count);

// "mimalloc in libarrow.so.2600", of the library's path.
unsigned register_heap(BundledAllocator allocator, const char* path);
format::AllocationKind register_function(unsigned heap, const char* name);

// Describes all in a forked child, or another session, once it is a recorded process of its own.
void describe_registered_heaps();

}  // namespace memlens::interposer
