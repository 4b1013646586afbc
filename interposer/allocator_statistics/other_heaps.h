// jemalloc and mimalloc, asked by functions they export: where they are the program's malloc, and
// where the program or a library that it was linked with has them under names of their own.
#pragma once

#include "interposer/format/allocator_statistics.h"

namespace memlens::interposer::other_heaps {

struct Heap {
  format::AllocatorName name{};
  void* function = nullptr;  // mallctl, mi_process_info
};

inline constexpr unsigned kMost = 2;

// How many there are, among what the program started with.
unsigned find(Heap (&heaps)[kMost]);

// In a copy of the process: it may hang for good, or crash. False: it does not tell (built without
// statistics).
bool ask(const Heap& heap, format::AllocatorStatistics& statistics);

}  // namespace memlens::interposer::other_heaps
