// The malloc family of libc. What each does beside forwarding is in recorder.h.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "interposer/guest/reentrancy.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/lifecycle/first_look.h"
#include "interposer/loader/next_function.h"
#include "interposer/record/recorded_call.h"
#include "interposer/record/recorder.h"
#include "interposer/record/sampling/sampled_blocks.h"
#include "interposer/record/sampling/sampler.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

MEMLENS_NEXT<void* (*)(size_t)> next_malloc("malloc");
MEMLENS_NEXT<void (*)(void*)> next_free("free");
MEMLENS_NEXT<void* (*)(size_t, size_t)> next_calloc("calloc");
MEMLENS_NEXT<void* (*)(void*, size_t)> next_realloc("realloc");
MEMLENS_NEXT<void* (*)(void*, size_t, size_t)> next_reallocarray("reallocarray");
MEMLENS_NEXT<int (*)(void**, size_t, size_t)> next_posix_memalign("posix_memalign");
MEMLENS_NEXT<void* (*)(size_t, size_t)> next_aligned_alloc("aligned_alloc");
MEMLENS_NEXT<void* (*)(size_t, size_t)> next_memalign("memalign");
MEMLENS_NEXT<void* (*)(size_t)> next_valloc("valloc");
MEMLENS_NEXT<void* (*)(size_t)> next_pvalloc("pvalloc");
MEMLENS_NEXT<void (*)(void*, size_t)> next_free_sized("free_sized");
MEMLENS_NEXT<void (*)(void*, size_t, size_t)> next_free_aligned_sized("free_aligned_sized");

using segment::HookMode;

inline bool multiply(size_t a, size_t b, size_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

__attribute__((always_inline)) inline void release(void* block) {
  HookScope scope;
  if (scope.outermost()) record_free(block);
  next_free.get()(block);
}

// ---- the hottest four
//
// When sampling, a call that is no sample must return in a few instructions and save no registers:
// so the hooks proper do nothing but look at the mode and pass it on, and whatever else there is to
// do is a function of its own. That costs the other modes two instructions; a jump by a pointer
// that each mode sets would cost the calls that pass more than all the rest.
//
// The mode is asked before the countdown: a thread may still have one from a session that sampled.
// A malloc that passes needs no scope: what allocators call within it are mappings, known by their
// caller. A calloc needs one: it may be somebody's that calls malloc, and that call could be a
// sample. Frees need none: a block that is not in the table of samples is not looked at.

// Sampling is asked for first: one comparison then tells both it and this one.
inline bool is_dormant(HookMode mode) {
  static_assert(HookMode::kDormant > HookMode::kSampling &&
                HookMode::kOrdinary < HookMode::kSampling && HookMode::kLook < HookMode::kSampling);
  return mode > HookMode::kSampling;
}

// A block that may be a sample, allocated by `call`.
template <typename Call>
__attribute__((always_inline)) inline void* sampled(AllocationKind kind, size_t bytes, Call call) {
  HookScope scope;
  if (!scope.outermost()) {
    sampler::draw_anew();
    return call();
  }
  const uint64_t interval = draw_sample(bytes);
  void* block = call();
  if (interval != 0 && block != nullptr) record_sample(kind, block, bytes, interval);
  return block;
}

__attribute__((noinline)) void* malloc_sampled(size_t bytes) {
  return sampled(AllocationKind::kMalloc, bytes, [&] { return next_malloc.known()(bytes); });
}

__attribute__((noinline)) void* malloc_recorded(size_t bytes) {
  HookScope scope;
  return recorded(scope, AllocationKind::kMalloc, next_malloc.known()(bytes), bytes);
}

__attribute__((noinline)) void* calloc_sampled(size_t count, size_t bytes, size_t total) {
  return sampled(AllocationKind::kCalloc, total, [&] { return next_calloc.known()(count, bytes); });
}

__attribute__((noinline)) void* calloc_recorded(size_t count, size_t bytes, size_t total) {
  HookScope scope;
  return recorded(scope, AllocationKind::kCalloc, next_calloc.known()(count, bytes), total);
}

__attribute__((noinline)) void* realloc_recorded(void* block, size_t bytes) {
  return reallocate(AllocationKind::kRealloc, block, bytes,
                    [&] { return next_realloc.known()(block, bytes); });
}

__attribute__((noinline)) void* realloc_sampled(void* block, size_t bytes) {
  if (sampled_blocks::may_hold(block)) return realloc_recorded(block, bytes);
  return sampled(AllocationKind::kRealloc, bytes,
                 [&] { return next_realloc.known()(block, bytes); });
}

__attribute__((noinline)) void free_recorded(void* block) {
  if (block != nullptr) release(block);
}

// Once more from the start, with a mode to go by.
__attribute__((noinline, cold)) void* malloc_after_look(size_t bytes) {
  look_what_to_do();
  return hook_mode() == HookMode::kDormant ? next_malloc.known()(bytes) : malloc_recorded(bytes);
}
__attribute__((noinline, cold)) void free_after_look(void* block) {
  look_what_to_do();
  return hook_mode() == HookMode::kDormant ? next_free.known()(block) : free_recorded(block);
}
__attribute__((noinline, cold)) void* calloc_after_look(size_t count, size_t bytes, size_t total) {
  look_what_to_do();
  return hook_mode() == HookMode::kDormant ? next_calloc.known()(count, bytes)
                                           : calloc_recorded(count, bytes, total);
}
__attribute__((noinline, cold)) void* realloc_after_look(void* block, size_t bytes) {
  look_what_to_do();
  return hook_mode() == HookMode::kDormant ? next_realloc.known()(block, bytes)
                                           : realloc_recorded(block, bytes);
}

}  // namespace

}  // namespace memlens::interposer

using namespace memlens::interposer;

MEMLENS_HOOK void* malloc(size_t bytes) {
  const HookMode mode = hook_mode();
  if (mode == HookMode::kSampling) {
    if (!sampler::passes_unsampled(bytes)) return malloc_sampled(bytes);
    return next_malloc.known()(bytes);
  }
  if (is_dormant(mode)) return next_malloc.known()(bytes);
  if (mode == HookMode::kOrdinary) return malloc_recorded(bytes);
  return malloc_after_look(bytes);
}

__attribute__((always_inline)) static inline void free_by_mode(void* block) {
  const HookMode mode = hook_mode();
  if (mode == HookMode::kSampling) {
    if (sampled_blocks::may_hold(block)) return free_recorded(block);
    return next_free.known()(block);
  }
  if (is_dormant(mode)) return next_free.known()(block);
  if (mode == HookMode::kOrdinary) return free_recorded(block);
  free_after_look(block);
}

MEMLENS_HOOK void free(void* block) { free_by_mode(block); }

MEMLENS_HOOK void* calloc(size_t count, size_t bytes) {
  size_t total = 0;
  if (!multiply(count, bytes, total)) total = 0;  // it will fail
  const HookMode mode = hook_mode();
  if (mode == HookMode::kOrdinary) return calloc_recorded(count, bytes, total);
  if (mode == HookMode::kLook) return calloc_after_look(count, bytes, total);
  if (mode == HookMode::kDormant) return next_calloc.known()(count, bytes);
  if (!sampler::passes_unsampled(total)) return calloc_sampled(count, bytes, total);
  HookScope scope;
  return next_calloc.known()(count, bytes);
}

MEMLENS_HOOK void* realloc(void* block, size_t bytes) {
  const HookMode mode = hook_mode();
  if (mode == HookMode::kOrdinary) return realloc_recorded(block, bytes);
  if (mode == HookMode::kLook) return realloc_after_look(block, bytes);
  if (mode == HookMode::kDormant) return next_realloc.known()(block, bytes);
  if (sampled_blocks::may_hold(block) || !sampler::passes_unsampled(bytes)) {
    return realloc_sampled(block, bytes);
  }
  HookScope scope;
  return next_realloc.known()(block, bytes);
}

// Not by way of free's name, which is the real one's in a library that was loaded late.
MEMLENS_HOOK void cfree(void* block) { free_by_mode(block); }

MEMLENS_HOOK void free_sized(void* block, size_t bytes) {
  if (block == nullptr) return;
  be_ready();
  auto* next = next_free_sized.get();
  if (next == nullptr) return release(block);
  HookScope scope;
  if (scope.outermost()) record_free(block);
  next(block, bytes);
}

MEMLENS_HOOK void free_aligned_sized(void* block, size_t alignment, size_t bytes) {
  if (block == nullptr) return;
  be_ready();
  auto* next = next_free_aligned_sized.get();
  if (next == nullptr) return release(block);
  HookScope scope;
  if (scope.outermost()) record_free(block);
  next(block, alignment, bytes);
}

MEMLENS_HOOK void* reallocarray(void* block, size_t count, size_t bytes) {
  size_t total = 0;
  if (!multiply(count, bytes, total)) {
    errno = ENOMEM;
    return nullptr;
  }
  be_ready();
  auto* next = next_reallocarray.get();
  const auto call = [&] {
    return next != nullptr ? next(block, count, bytes) : next_realloc.get()(block, total);
  };
  // libc's own calls realloc.
  return reallocate(AllocationKind::kReallocarray, block, total, call, InnerCalls::kExpected);
}

MEMLENS_HOOK int posix_memalign(void** result, size_t alignment, size_t bytes) {
  be_ready();
  HookScope scope;
  const int status = next_posix_memalign.get()(result, alignment, bytes);
  if (status == 0) recorded(scope, AllocationKind::kPosixMemalign, *result, bytes);
  return status;
}

MEMLENS_HOOK void* aligned_alloc(size_t alignment, size_t bytes) {
  be_ready();
  HookScope scope;
  void* block = next_aligned_alloc.get()(alignment, bytes);
  return recorded(scope, AllocationKind::kAlignedAlloc, block, bytes);
}

MEMLENS_HOOK void* memalign(size_t alignment, size_t bytes) {
  be_ready();
  HookScope scope;
  void* block = next_memalign.get()(alignment, bytes);
  return recorded(scope, AllocationKind::kMemalign, block, bytes);
}

MEMLENS_HOOK void* valloc(size_t bytes) {
  be_ready();
  HookScope scope;
  return recorded(scope, AllocationKind::kValloc, next_valloc.get()(bytes), bytes);
}

MEMLENS_HOOK void* pvalloc(size_t bytes) {
  be_ready();
  HookScope scope;
  return recorded(scope, AllocationKind::kPvalloc, next_pvalloc.get()(bytes), bytes);
}
