// jemalloc's extended interface.
//
// A preloaded library cannot define these names only for programs that have jemalloc: whoever asks
// whether mallocx exists (a weak reference, dlsym) finds ours. An IFUNC that resolves to nothing
// would be the honest answer, but ld.so calls its resolver before our library is relocated, and
// says so on stderr. So without jemalloc they do here what they promise, by way of malloc: a
// program that tests one name works. Those in the wild (folly, RocksDB) ask for mallctl, nallocx
// and others too, which we do not define, and rightly conclude that there is no jemalloc.
#include <malloc.h>

#include <cstdlib>
#include <cstring>

#include "interposer/guest/reentrancy.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/lifecycle/first_look.h"
#include "interposer/loader/next_function.h"
#include "interposer/record/recorder.h"

namespace memlens::interposer {
namespace {

MEMLENS_NEXT<void* (*)(size_t, int)> next_mallocx("mallocx");
MEMLENS_NEXT<void* (*)(void*, size_t, int)> next_rallocx("rallocx");
MEMLENS_NEXT<size_t (*)(void*, size_t, size_t, int)> next_xallocx("xallocx");
MEMLENS_NEXT<void (*)(void*, int)> next_dallocx("dallocx");
MEMLENS_NEXT<void (*)(void*, size_t, int)> next_sdallocx("sdallocx");

// jemalloc's flags: the logarithm of the alignment in the low six bits, and a zeroing bit.
constexpr int kAlignmentMask = 0x3f;
constexpr int kZero = 0x40;
constexpr size_t kMallocAlignment = 16;

void* allocate_without_jemalloc(size_t bytes, int flags) {
  const size_t alignment = size_t{1} << (flags & kAlignmentMask);
  if (alignment <= kMallocAlignment) {
    return (flags & kZero) != 0 ? calloc(1, bytes) : malloc(bytes);
  }
  void* block = memalign(alignment, bytes);
  if (block != nullptr && (flags & kZero) != 0) std::memset(block, 0, bytes);
  return block;
}

void* reallocate_without_jemalloc(void* block, size_t bytes, int flags) {
  const size_t old_bytes = malloc_usable_size(block);
  void* moved = allocate_without_jemalloc(bytes, flags);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, old_bytes < bytes ? old_bytes : bytes);
  free(block);
  return moved;
}

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

MEMLENS_HOOK void* mallocx(size_t bytes, int flags) {
  auto* next = next_mallocx.get();
  if (next == nullptr) return allocate_without_jemalloc(bytes, flags);
  be_ready();
  HookScope scope;
  void* block = next(bytes, flags);
  if (block != nullptr && scope.outermost()) {
    record_allocation(AllocationKind::kMallocx, block, bytes);
  }
  return block;
}

MEMLENS_HOOK void* rallocx(void* block, size_t bytes, int flags) {
  auto* next = next_rallocx.get();
  if (next == nullptr) return reallocate_without_jemalloc(block, bytes, flags);
  be_ready();
  HookScope scope;
  if (!scope.outermost()) return next(block, bytes, flags);
  record_free(block);
  void* moved = next(block, bytes, flags);
  if (moved != nullptr) {
    record_allocation(AllocationKind::kRallocx, moved, bytes);
  } else {
    record_undo();
  }
  return moved;
}

// Resizes in place, or not at all: returns the block's real size, at least `bytes` when it did. The
// block is the caller's throughout, so its retirement need not come before the call.
MEMLENS_HOOK size_t xallocx(void* block, size_t bytes, size_t extra, int flags) {
  auto* next = next_xallocx.get();
  if (next == nullptr) return malloc_usable_size(block);
  be_ready();
  HookScope scope;
  const size_t real_bytes = next(block, bytes, extra, flags);
  if (real_bytes >= bytes && scope.outermost()) {
    const size_t asked = extra < SIZE_MAX - bytes ? bytes + extra : SIZE_MAX;
    record_free(block);
    record_allocation(AllocationKind::kXallocx, block, real_bytes < asked ? real_bytes : asked);
  }
  return real_bytes;
}

MEMLENS_HOOK void dallocx(void* block, int flags) {
  auto* next = next_dallocx.get();
  if (next == nullptr) return free(block);
  be_ready();
  HookScope scope;
  if (scope.outermost()) record_free(block);
  next(block, flags);
}

MEMLENS_HOOK void sdallocx(void* block, size_t bytes, int flags) {
  auto* next = next_sdallocx.get();
  if (next == nullptr) return free(block);
  be_ready();
  HookScope scope;
  if (scope.outermost()) record_free(block);
  next(block, bytes, flags);
}
