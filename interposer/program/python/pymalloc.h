// CPython's own small-object allocator, told from others by what it does.
//
// Where blocks are sampled, the hooks of Python's allocators can be far cheaper if they know that
// it is what they call (allocator_hooks.cpp). Nothing says so: its functions have no exported
// names, and PYTHONMALLOC, debug builds, free-threaded builds and embedders all put something else
// there.
#pragma once

#include <cstddef>

#include "interposer/python/runtime.h"

namespace memlens::interposer::python {

// Larger blocks it takes from malloc as they are, and frees there (SMALL_REQUEST_THRESHOLD, 3.3 and
// later).
inline constexpr size_t kMaxPymallocBytes = 512;

// Asks it for blocks and sees what reaches the hook of malloc. For a thread that may call the
// allocator just now, within a hook, in a process that samples.
bool is_pymalloc(const Allocator& allocator);

// From now on what it maps for its arenas is nobody's allocation, also outside the hooks of what
// called it: where those need no scope, and while Python puts its debug allocators over ours. False
// when this interpreter has no function for that.
bool hide_arenas();

}  // namespace memlens::interposer::python
