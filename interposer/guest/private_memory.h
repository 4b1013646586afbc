// Memory of our own, straight from the kernel: nothing here reaches a hooked function.
#pragma once

#include <cstddef>

namespace memlens::interposer {

// Zeroed pages, or nullptr. `bytes` is rounded up to pages. Any thread.
void* map_pages(size_t bytes);
void unmap_pages(void* pages, size_t bytes);
// Of map_pages(): zeroes again.
void clear_pages(void* pages, size_t bytes);

// Memory that lives as long as the process's recording and is never given back piece by piece.
// Aligned to 16; nullptr when the kernel has none. Any thread; takes a private lock briefly.
void* allocate_permanent(size_t bytes);

// In a forked child or another session, before anything else is recorded: forgets all permanent
// memory and gives it back.
void drop_permanent_memory();

}  // namespace memlens::interposer
