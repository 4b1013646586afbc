#include "interposer/program/python/pymalloc.h"

#include "interposer/guest/reentrancy.h"
#include "interposer/record/sampling/sampler.h"

namespace memlens::interposer::python {
namespace {

// How many of the bytes that the allocator is asked for it asks malloc for.
uint64_t bytes_from_malloc(const Allocator& allocator, size_t bytes) {
  constexpr uint64_t kPlenty = uint64_t{1} << 62;  // whatever is asked for passes
  sample_countdown = kPlenty;
  void* block = allocator.malloc(allocator.context, bytes);
  const uint64_t taken = kPlenty - sample_countdown;
  allocator.free(allocator.context, block);
  sampler::draw_anew();
  return taken;
}

// The arenas' own, in a global for the reason that those of the blocks are.
ArenaAllocator original;

// From 3.11 on the interpreter takes the pages of its frames by the same functions: they are no
// arenas, and somebody's memory.
constexpr size_t kMinArenaBytes = size_t{256} << 10;  // to 3.9; 1 MB later

void* allocate_arena(void*, size_t bytes) {
  if (bytes < kMinArenaBytes) return original.allocate(original.context, bytes);
  HookScope scope(InnerCalls::kExpected);
  return original.allocate(original.context, bytes);
}

void free_arena(void*, void* arena, size_t bytes) {
  if (bytes < kMinArenaBytes) return original.free(original.context, arena, bytes);
  HookScope scope(InnerCalls::kExpected);
  original.free(original.context, arena, bytes);
}

}  // namespace

bool is_pymalloc(const Allocator& allocator) {
  if (bytes_from_malloc(allocator, kMaxPymallocBytes + 1) != kMaxPymallocBytes + 1) return false;
  for (const size_t bytes : {size_t{1}, kMaxPymallocBytes}) {
    // The first may need an arena, and room in the list of arenas.
    bool small = false;
    for (int i = 0; i < 3 && !small; ++i) small = bytes_from_malloc(allocator, bytes) == 0;
    if (!small) return false;
  }
  return true;
}

bool hide_arenas() {
  if (runtime.get_arena_allocator == nullptr || runtime.set_arena_allocator == nullptr) {
    return false;
  }
  ArenaAllocator current;
  runtime.get_arena_allocator(&current);
  if (current.allocate == allocate_arena) return true;
  original = current;
  ArenaAllocator hidden{original.context, allocate_arena, free_arena};
  runtime.set_arena_allocator(&hidden);
  return true;
}

}  // namespace memlens::interposer::python
