// Whose malloc it is that the program uses.
#pragma once

namespace memlens::interposer {

// Whether `code` lies in the library the program's malloc comes from, libc excepted. What such an
// allocator (jemalloc, tcmalloc, mimalloc) maps for itself is where the program's blocks live, and
// those are counted already: its constructors and background threads map outside any hook of ours.
bool called_by_allocator(const void* code);

// The same of code that maps memory, with libraries whose own allocator is recorded.
bool maps_for_allocator(const void* code);

// Says so, loudly and in the capture, when the program's malloc is not ours: an allocator linked
// into the program statically is found before any preloaded library, and none of its calls arrive.
// From the library's constructor, or by who joins, then without a word on the program's stderr.
void report_unseen_allocator(bool to_stderr);

// Whether the first malloc of all is one that is linked into the program itself.
bool brings_own_malloc();

}  // namespace memlens::interposer
