#include "interposer/guest/private_memory.h"

#include <cerrno>
#include <cstdint>

#include "interposer/guest/private_lock.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/platform/system_call.h"

namespace memlens::interposer {
namespace {

constexpr size_t kPageBytes = 4096;
// Address space is the program's too; what is larger than a quarter gets an arena of its own.
constexpr size_t kArenaBytes = 64 << 10;

constexpr size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

// Arenas beyond the first ones start with their place in a list.
struct ArenaHeader {
  ArenaHeader* next;
  size_t bytes;
};
static_assert(sizeof(ArenaHeader) == 16);

// The first arenas are used again by a forked child: to unmap and map one costs it 10 us, more than
// what most children have to record; to give its pages back costs 1.
struct FirstArena {
  ArenaHeader* start;
  size_t bytes;
  bool used;
};
constexpr unsigned kFirstArenas = 8;

PrivateLock arena_lock;
FirstArena first_arenas[kFirstArenas];
unsigned first_arena_count = 0;
ArenaHeader* further_arenas = nullptr;
char* arena_cursor = nullptr;
char* arena_end = nullptr;

ArenaHeader* add_arena(size_t bytes) {
  for (unsigned i = 0; i < first_arena_count; ++i) {
    FirstArena& known = first_arenas[i];
    if (known.used || known.bytes != bytes) continue;
    known.used = true;
    return known.start;
  }
  auto* arena = static_cast<ArenaHeader*>(map_pages(bytes));
  if (arena == nullptr) return nullptr;
  if (first_arena_count < kFirstArenas) {
    first_arenas[first_arena_count++] = {arena, bytes, true};
    return arena;
  }
  arena->next = further_arenas;
  arena->bytes = bytes;
  further_arenas = arena;
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
  while (further_arenas != nullptr) {
    ArenaHeader* arena = further_arenas;
    further_arenas = arena->next;
    unmap_pages(arena, arena->bytes);
  }
  for (unsigned i = 0; i < first_arena_count; ++i) {
    if (first_arenas[i].used) clear_pages(first_arenas[i].start, first_arenas[i].bytes);
    first_arenas[i].used = false;
  }
}

}  // namespace memlens::interposer
