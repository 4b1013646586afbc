#include "interposer/python/pymalloc.h"

#include "interposer/reentrancy.h"
#include "interposer/sampler.h"

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

void* allocate_arena(void*, size_t bytes) {
  HookScope scope;
  return original.allocate(original.context, bytes);
}

void free_arena(void*, void* arena, size_t bytes) {
  HookScope scope;
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
  if (original.allocate != nullptr) return true;
  if (runtime.get_arena_allocator == nullptr || runtime.set_arena_allocator == nullptr) {
    return false;
  }
  runtime.get_arena_allocator(&original);
  ArenaAllocator hidden{original.context, allocate_arena, free_arena};
  runtime.set_arena_allocator(&hidden);
  return true;
}

}  // namespace memlens::interposer::python
