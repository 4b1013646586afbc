#include "interposer/private_memory.h"

#include <cerrno>
#include <cstdint>

#include "interposer/private_lock.h"
#include "interposer/reentrancy.h"
#include "interposer/system_call.h"

namespace memlens::interposer {
namespace {

constexpr size_t kPageBytes = 4096;
// Address space is the program's too; what is larger than a quarter gets an arena of its own.
constexpr size_t kArenaBytes = 64 << 10;

constexpr size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

// Each arena starts with its place in the list, so that a forked child can drop them all.
struct ArenaHeader {
  ArenaHeader* next;
  size_t bytes;
};
static_assert(sizeof(ArenaHeader) == 16);

PrivateLock arena_lock;
ArenaHeader* arenas = nullptr;
char* arena_cursor = nullptr;
char* arena_end = nullptr;

ArenaHeader* add_arena(size_t bytes) {
  auto* arena = static_cast<ArenaHeader*>(map_pages(bytes));
  if (arena == nullptr) return nullptr;
  arena->next = arenas;
  arena->bytes = bytes;
  arenas = arena;
  return arena;
}

void* allocate_locked(size_t bytes) {
  if (bytes > kArenaBytes / 4) {
    ArenaHeader* arena = add_arena(round_up(bytes + sizeof(ArenaHeader), kPageBytes));
    return arena == nullptr ? nullptr : arena + 1;
  }
  if (static_cast<size_t>(arena_end - arena_cursor) < bytes) {
    ArenaHeader* arena = add_arena(kArenaBytes);
    if (arena == nullptr) return nullptr;
    arena_cursor = reinterpret_cast<char*>(arena + 1);
    arena_end = reinterpret_cast<char*>(arena) + kArenaBytes;
  }
  void* result = arena_cursor;
  arena_cursor += bytes;
  return result;
}

}  // namespace

void* map_pages(size_t bytes) {
  const int saved_errno = errno;
  void* pages = system_call::map(nullptr, round_up(bytes, kPageBytes), PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  errno = saved_errno;
  return pages == MAP_FAILED ? nullptr : pages;
}

void unmap_pages(void* pages, size_t bytes) {
  const int saved_errno = errno;
  system_call::unmap(pages, round_up(bytes, kPageBytes));
  errno = saved_errno;
}

void clear_pages(void* pages, size_t bytes) {
  const int saved_errno = errno;
  system_call::advise(pages, round_up(bytes, kPageBytes), MADV_DONTNEED);
  errno = saved_errno;
}

void* allocate_permanent(size_t bytes) {
  if (!arena_lock.lock(&thread_state)) return nullptr;
  void* result = allocate_locked(round_up(bytes, 16));
  arena_lock.unlock();
  return result;
}

void drop_permanent_memory() {
  arena_lock.reset();
  arena_cursor = nullptr;
  arena_end = nullptr;
  while (arenas != nullptr) {
    ArenaHeader* arena = arenas;
    arenas = arena->next;
    unmap_pages(arena, arena->bytes);
  }
}

}  // namespace memlens::interposer
