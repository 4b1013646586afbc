#include "interposer/program/bundled_hooks.h"

#include <cstddef>
#include <utility>

#include "interposer/guest/reentrancy.h"
#include "interposer/record/recorded_call.h"
#include "interposer/record/recorder.h"

namespace memlens::interposer {
namespace {

// How many of each shape: enough for several whole interfaces.
constexpr unsigned kHooksOfShape[kCallShapes] = {24, 12, 12, 12, 6, 14, 14, 8, 8,
                                                 6,  6,  6,  3,  3, 24, 18, 6, 3};

constexpr unsigned first_hook(unsigned shape) {
  unsigned first = 0;
  for (unsigned i = 0; i < shape; ++i) first += kHooksOfShape[i];
  return first;
}
static_assert(first_hook(kCallShapes) == kBundledHooks);

// Such an allocator asks malloc and mmap for what it hands out.
constexpr InnerCalls kInnerCalls = InnerCalls::kExpected;

BundledHook hooks[kBundledHooks];
bool in_use[kBundledHooks];

template <typename Function>
__attribute__((always_inline)) inline Function real_of(const BundledHook& hook) {
  return reinterpret_cast<Function>(hook.real.load(std::memory_order_acquire));
}

// What will fail is recorded, if at all, with no bytes.
inline size_t product(size_t count, size_t bytes) {
  size_t total = 0;
  return __builtin_mul_overflow(count, bytes, &total) ? 0 : total;
}

// arrow::Status, one pointer: null where all went well. Like there, the caller says where it is to
// be.
struct ArrowStatus {
  void* failure;
  ArrowStatus(ArrowStatus&& other) noexcept : failure(other.failure) { other.failure = nullptr; }
  ~ArrowStatus() {}  // NOLINT(modernize-use-equals-default): by value otherwise; it is the caller's
};

template <CallShape shape, unsigned number>
struct Hook;

template <unsigned n>
struct Hook<CallShape::kBytes, n> {
  static void* call(size_t bytes) {
    HookScope scope(kInnerCalls);
    return recorded(scope, hooks[n].kind, real_of<void* (*)(size_t)>(hooks[n])(bytes), bytes);
  }
};

template <unsigned n>
struct Hook<CallShape::kCountBytes, n> {
  static void* call(size_t count, size_t bytes) {
    HookScope scope(kInnerCalls);
    void* block = real_of<void* (*)(size_t, size_t)>(hooks[n])(count, bytes);
    return recorded(scope, hooks[n].kind, block, product(count, bytes));
  }
};

template <unsigned n>
struct Hook<CallShape::kBytesAlignment, n> {
  static void* call(size_t bytes, size_t alignment) {
    HookScope scope(kInnerCalls);
    void* block = real_of<void* (*)(size_t, size_t)>(hooks[n])(bytes, alignment);
    return recorded(scope, hooks[n].kind, block, bytes);
  }
};

template <unsigned n>
struct Hook<CallShape::kAlignmentBytes, n> {
  static void* call(size_t alignment, size_t bytes) {
    HookScope scope(kInnerCalls);
    void* block = real_of<void* (*)(size_t, size_t)>(hooks[n])(alignment, bytes);
    return recorded(scope, hooks[n].kind, block, bytes);
  }
};

template <unsigned n>
struct Hook<CallShape::kCountBytesAlignment, n> {
  static void* call(size_t count, size_t bytes, size_t alignment) {
    HookScope scope(kInnerCalls);
    void* block = real_of<void* (*)(size_t, size_t, size_t)>(hooks[n])(count, bytes, alignment);
    return recorded(scope, hooks[n].kind, block, product(count, bytes));
  }
};

template <unsigned n>
struct Hook<CallShape::kBlockBytes, n> {
  static void* call(void* block, size_t bytes) {
    return reallocate(
        hooks[n].kind, block, bytes,
        [&] { return real_of<void* (*)(void*, size_t)>(hooks[n])(block, bytes); }, kInnerCalls);
  }
};

template <unsigned n>
struct Hook<CallShape::kBlockCountBytes, n> {
  static void* call(void* block, size_t count, size_t bytes) {
    // One that overflows fails and leaves the block alone.
    const size_t total = product(count, bytes);
    return reallocate(
        hooks[n].kind, block, total == 0 && count != 0 ? bytes : total,
        [&] { return real_of<void* (*)(void*, size_t, size_t)>(hooks[n])(block, count, bytes); },
        kInnerCalls);
  }
};

template <unsigned n>
struct Hook<CallShape::kBlockBytesAlignment, n> {
  static void* call(void* block, size_t bytes, size_t alignment) {
    return reallocate(
        hooks[n].kind, block, bytes,
        [&] {
          return real_of<void* (*)(void*, size_t, size_t)>(hooks[n])(block, bytes, alignment);
        },
        kInnerCalls);
  }
};

template <unsigned n>
struct Hook<CallShape::kPosixMemalign, n> {
  static int call(void** result, size_t alignment, size_t bytes) {
    HookScope scope(kInnerCalls);
    const int status = real_of<int (*)(void**, size_t, size_t)>(hooks[n])(result, alignment, bytes);
    if (status == 0) recorded(scope, hooks[n].kind, *result, bytes);
    return status;
  }
};

template <unsigned n>
struct Hook<CallShape::kMallocx, n> {
  static void* call(size_t bytes, int flags) {
    HookScope scope(kInnerCalls);
    void* block = real_of<void* (*)(size_t, int)>(hooks[n])(bytes, flags);
    return recorded(scope, hooks[n].kind, block, bytes);
  }
};

template <unsigned n>
struct Hook<CallShape::kRallocx, n> {
  static void* call(void* block, size_t bytes, int flags) {
    return reallocate(
        hooks[n].kind, block, bytes,
        [&] { return real_of<void* (*)(void*, size_t, int)>(hooks[n])(block, bytes, flags); },
        kInnerCalls);
  }
};

// In place or not at all (jemalloc_hooks.cpp).
template <unsigned n>
struct Hook<CallShape::kXallocx, n> {
  static size_t call(void* block, size_t bytes, size_t extra, int flags) {
    HookScope scope(kInnerCalls);
    const size_t real_bytes =
        real_of<size_t (*)(void*, size_t, size_t, int)>(hooks[n])(block, bytes, extra, flags);
    if (real_bytes >= bytes && scope.outermost()) {
      const size_t asked = extra < SIZE_MAX - bytes ? bytes + extra : SIZE_MAX;
      record_free(block);
      record_allocation(hooks[n].kind, block, real_bytes < asked ? real_bytes : asked);
    }
    return real_bytes;
  }
};

// A buffer of no bytes is one place for all, and no block.
template <unsigned n>
struct Hook<CallShape::kArrowAllocate, n> {
  static ArrowStatus call(int64_t bytes, int64_t alignment, void** result) {
    HookScope scope(kInnerCalls);
    ArrowStatus status =
        real_of<ArrowStatus (*)(int64_t, int64_t, void**)>(hooks[n])(bytes, alignment, result);
    if (status.failure == nullptr && bytes > 0)
      recorded(scope, hooks[n].kind, *result, static_cast<size_t>(bytes));
    return status;
  }
};

template <unsigned n>
struct Hook<CallShape::kArrowReallocate, n> {
  static ArrowStatus call(int64_t old_bytes, int64_t bytes, int64_t alignment, void** block) {
    HookScope scope(kInnerCalls);
    const bool retires = scope.outermost() && old_bytes > 0;
    if (retires) record_free(*block);
    ArrowStatus status = real_of<ArrowStatus (*)(int64_t, int64_t, int64_t, void**)>(hooks[n])(
        old_bytes, bytes, alignment, block);
    if (status.failure == nullptr && bytes > 0) {
      recorded(scope, hooks[n].kind, *block, static_cast<size_t>(bytes));
    } else if (status.failure != nullptr && retires) {
      record_undo();
    }
    return status;
  }
};

template <unsigned n>
struct Hook<CallShape::kArrowFree, n> {
  static void call(void* block, int64_t bytes, int64_t alignment) {
    HookScope scope(kInnerCalls);
    if (bytes > 0 && scope.outermost()) record_free(block);
    real_of<void (*)(void*, int64_t, int64_t)>(hooks[n])(block, bytes, alignment);
  }
};

template <unsigned n>
struct Hook<CallShape::kFree, n> {
  static void call(void* block) {
    HookScope scope(kInnerCalls);
    if (block != nullptr && scope.outermost()) record_free(block);
    real_of<void (*)(void*)>(hooks[n])(block);
  }
};

template <unsigned n>
struct Hook<CallShape::kFreeBytes, n> {
  static void call(void* block, uintptr_t second) {
    HookScope scope(kInnerCalls);
    if (block != nullptr && scope.outermost()) record_free(block);
    real_of<void (*)(void*, uintptr_t)>(hooks[n])(block, second);
  }
};

template <unsigned n>
struct Hook<CallShape::kFreeBytesAlignment, n> {
  static void call(void* block, uintptr_t second, uintptr_t third) {
    HookScope scope(kInnerCalls);
    if (block != nullptr && scope.outermost()) record_free(block);
    real_of<void (*)(void*, uintptr_t, uintptr_t)>(hooks[n])(block, second, third);
  }
};

template <unsigned shape, unsigned... numbers>
void set_entries(std::integer_sequence<unsigned, numbers...>) {
  constexpr unsigned kFirst = first_hook(shape);
  ((hooks[kFirst + numbers].entry =
        reinterpret_cast<uintptr_t>(&Hook<static_cast<CallShape>(shape), kFirst + numbers>::call)),
   ...);
}

template <unsigned... shapes>
void set_all_entries(std::integer_sequence<unsigned, shapes...>) {
  (set_entries<shapes>(std::make_integer_sequence<unsigned, kHooksOfShape[shapes]>()), ...);
}

}  // namespace

BundledHook* take_bundled_hook(CallShape shape, uintptr_t real, AllocationKind kind) {
  if (hooks[0].entry == 0) set_all_entries(std::make_integer_sequence<unsigned, kCallShapes>());
  const auto index = static_cast<unsigned>(shape);
  for (unsigned i = first_hook(index); i < first_hook(index + 1); ++i) {
    if (in_use[i]) continue;
    in_use[i] = true;
    hooks[i].kind = kind;
    hooks[i].real.store(real, std::memory_order_release);
    return &hooks[i];
  }
  return nullptr;
}

// A call that comes nevertheless goes where it would have gone without us.
void give_bundled_hook_back(BundledHook* hook) { in_use[hook - hooks] = false; }

unsigned free_bundled_hooks(CallShape shape) {
  const auto index = static_cast<unsigned>(shape);
  unsigned count = 0;
  for (unsigned i = first_hook(index); i < first_hook(index + 1); ++i) {
    if (!in_use[i]) ++count;
  }
  return count;
}

}  // namespace memlens::interposer
