// Allocators that libraries bring along under names of their own: each recorded as a heap.
//
// A library that exports such functions (allocator_names.h) calls them through slots of its own,
// which are made to lead to hooks (slot_patch.h), in that library and in whichever calls it. Hidden
// functions and direct calls cannot be reached so: jemalloc's are recorded by its own hooks
// (hidden_jemalloc.h), others are not, and the note that memlens makes of such a library when the
// recording ends says it (interposer/symbolizer).
//
// What such an allocator maps is where its blocks live, and those are counted: mappings made within
// its functions are nested calls, others (reserves made when it is loaded, or by a thread of its
// own) are known by the library that asks for them.
#pragma once

#include <cstdint>

#include "interposer/loader/loader_list.h"

namespace memlens::interposer {

// For whoever compares the list of modules with the loader's, with a LoaderReading: a library is
// there, or is gone.
void look_for_bundled_allocator(const LoadedObject& object, bool opened_later);
void forget_bundled_allocator(uint64_t start);
// After the comparison: leads everybody's slots to the hooks of allocators found since.
void hook_bundled_allocators();

// Where the library was loaded late: leads the calls of all that are known to the hooks, or back
// past them, as its other hooks are put in and taken out (program_hooks.h). With a LoaderReading
// that is held. False: an object is just being loaded.
bool lead_bundled_calls(bool to_hooks);

// Whether `code` lies in a library whose allocator is recorded, or will be as soon as the module
// list is compared. Any context; no lock.
bool called_by_bundled_allocator(const void* code);

}  // namespace memlens::interposer
