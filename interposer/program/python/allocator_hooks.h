// Python's own allocators, hooked: the MEM and OBJ domains. (RAW reaches malloc anyway.)
//
// CPython lets a program replace a domain's functions with PyMem_SetAllocator, and replaces them
// itself: -X dev and PYTHONMALLOC during pre-initialisation (ours are discarded then), tracemalloc
// by wrapping (ours are called by its own). From outside the two look alike. So when ours are found
// replaced, another *layer* goes on top, a set of functions with originals of its own: right in
// both cases, while the same functions once more on top of a wrapper would call themselves for
// ever. The outermost layer sees what the program asked for; the lower ones are nested calls and
// record nothing, so a debug allocator's padding is counted nowhere, above or below us.
#pragma once

namespace memlens::interposer::python {

// Puts the hooks on top of whatever serves the domains now; does nothing where they are already.
// Needs python::runtime. False when the layers are used up (somebody replaces them for ever).
// Caller holds the attach lock.
bool install_allocator_hooks();

// Takes off what is on top, so that Python's own functions are called again. What somebody has put
// theirs above stays, and passes on. The same holds for the caller.
void remove_allocator_hooks();

}  // namespace memlens::interposer::python
