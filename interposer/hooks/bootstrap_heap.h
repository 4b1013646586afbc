// Memory for allocations that dlsym makes while we are asking it for the real malloc.
//
// A few hundred bytes in practice. They are never given back, and free and realloc recognise them
// by address for as long as the process lives.
#pragma once

#include <cstddef>

namespace memlens::interposer {

// Zeroed; aligned to `alignment` (a power of two of at least 16). nullptr when used up.
void* bootstrap_allocate(size_t bytes, size_t alignment = 16);

inline constexpr size_t kBootstrapHeapBytes = 64 * 1024;
extern char bootstrap_heap[kBootstrapHeapBytes];

inline bool is_bootstrap(const void* block) {
  return block >= bootstrap_heap && block < bootstrap_heap + kBootstrapHeapBytes;
}

// Every address a block that was handed out may have.
void visit_bootstrap_heap(void (*visit)(const void* address));

// Of a bootstrap block, as requested.
size_t bootstrap_size(const void* block);

}  // namespace memlens::interposer
