#include "interposer/program/python/allocator_hooks.h"

#include <atomic>
#include <cstddef>
#include <utility>

#include "interposer/allocator_statistics/python_heap.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/program/python/pymalloc.h"
#include "interposer/python/runtime.h"
#include "interposer/record/recorder.h"
#include "interposer/record/sampling/sampled_blocks.h"
#include "interposer/record/sampling/sampler.h"

namespace memlens::interposer::python {
namespace {

// PyMemAllocatorDomain's values, less one.
enum Domain : size_t { kMem, kObject, kDomainCount };
constexpr int domain_number(size_t domain) { return static_cast<int>(domain) + 1; }

struct Kinds {
  AllocationKind malloc, calloc, realloc;
};
constexpr Kinds kKinds[kDomainCount] = {
    {AllocationKind::kPyMemMalloc, AllocationKind::kPyMemCalloc, AllocationKind::kPyMemRealloc},
    {AllocationKind::kPyObjectMalloc, AllocationKind::kPyObjectCalloc,
     AllocationKind::kPyObjectRealloc}};

constexpr size_t kLayers = 6;

// In globals and not in the allocator's context: CPython reads the struct without a lock, so a
// thread may see our function with the context of before, or the other way round. Ours is therefore
// the same as the original's, and not looked at.
Allocator originals[kDomainCount][kLayers];
size_t layer_count[kDomainCount];

template <size_t domain, size_t layer>
struct Hooks {
  static void* malloc(void*, size_t bytes) {
    HookScope scope(InnerCalls::kExpected);
    const Allocator& original = originals[domain][layer];
    void* block = original.malloc(original.context, bytes);
    if (scope.outermost() && block != nullptr) {
      record_allocation(kKinds[domain].malloc, block, bytes);
    }
    return block;
  }

  static void* calloc(void*, size_t count, size_t bytes) {
    HookScope scope(InnerCalls::kExpected);
    const Allocator& original = originals[domain][layer];
    void* block = original.calloc(original.context, count, bytes);
    // The product cannot overflow: the call would have failed.
    if (scope.outermost() && block != nullptr) {
      record_allocation(kKinds[domain].calloc, block, count * bytes);
    }
    return block;
  }

  static void* realloc(void*, void* old_block, size_t bytes) {
    HookScope scope(InnerCalls::kExpected);
    const Allocator& original = originals[domain][layer];
    if (!scope.outermost()) return original.realloc(original.context, old_block, bytes);
    if (old_block != nullptr) record_free(old_block);
    void* block = original.realloc(original.context, old_block, bytes);
    if (block != nullptr) {
      record_allocation(kKinds[domain].realloc, block, bytes);
    } else if (old_block != nullptr) {
      record_undo();
    }
    return block;
  }

  static void free(void*, void* block) {
    HookScope scope(InnerCalls::kExpected);
    const Allocator& original = originals[domain][layer];
    if (scope.outermost() && block != nullptr) record_free(block);
    original.free(original.context, block);
  }

  static constexpr Allocator table(void* context) {
    return {context, malloc, calloc, realloc, free};
  }
};

// Where samples are taken, what is none passes first. These functions are called more often than
// any others: passing takes a subtraction, and where it can, a jump into pymalloc.
//
// `Below` says what the layer calls:
//   kUnknown: anything, which may ask malloc for what it hands out. That is this block, so it is
//   called in a scope, and frees are looked at here.
//   kPymalloc: CPython's own allocator (pymalloc.h). It takes small blocks from its arenas, so they
//   need no scope, and large ones from malloc. A sampled block is asked for as a large one,
//   whatever its size: then every sampled block is malloc's, the hook of free there sees its end,
//   and frees are not hooked here at all.
enum class Below : uint8_t { kUnknown, kPymalloc };

// Of the first layer, the only one that may lie on pymalloc, this holds also while that is not yet
// known: a block that is sampled meanwhile is to be malloc's as well.
constexpr size_t asked_for(size_t layer, size_t bytes) {
  return layer == 0 && bytes <= kMaxPymallocBytes ? kMaxPymallocBytes + 1 : bytes;
}

void find_out_what_lies_below(size_t domain);

template <size_t domain, size_t layer, Below below>
struct SamplingHooks {
  // A block that may be a sample, allocated by `call(bytes to ask for)`.
  template <typename Call>
  __attribute__((always_inline)) static void* sampled(AllocationKind kind, size_t bytes,
                                                      Call call) {
    HookScope scope(InnerCalls::kExpected);
    if (!scope.outermost()) {
      sampler::draw_anew();
      return call(bytes);
    }
    if (layer == 0 && below == Below::kUnknown) find_out_what_lies_below(domain);
    const uint64_t interval = draw_sample(bytes);
    if (interval == 0) return call(bytes);
    void* block = call(asked_for(layer, bytes));
    if (block != nullptr) record_sample(kind, block, bytes, interval);
    return block;
  }

  __attribute__((noinline)) static void* malloc_not_passed(size_t bytes) {
    const Allocator& original = originals[domain][layer];
    return sampled(kKinds[domain].malloc, bytes,
                   [&](size_t asked) { return original.malloc(original.context, asked); });
  }

  __attribute__((noinline)) static void* malloc_in_scope(size_t bytes) {
    HookScope scope(InnerCalls::kExpected);
    const Allocator& original = originals[domain][layer];
    return original.malloc(original.context, bytes);
  }

  static void* malloc(void*, size_t bytes) {
    if (!sampler::passes_unsampled(bytes)) return malloc_not_passed(bytes);
    if (below == Below::kUnknown || bytes > kMaxPymallocBytes) return malloc_in_scope(bytes);
    const Allocator& original = originals[domain][layer];
    return original.malloc(original.context, bytes);
  }

  __attribute__((noinline)) static void* calloc_not_passed(size_t count, size_t bytes,
                                                           size_t total) {
    const Allocator& original = originals[domain][layer];
    return sampled(kKinds[domain].calloc, total, [&](size_t asked) {
      return asked == total ? original.calloc(original.context, count, bytes)
                            : original.calloc(original.context, 1, asked);
    });
  }

  __attribute__((noinline)) static void* calloc_in_scope(size_t count, size_t bytes) {
    HookScope scope(InnerCalls::kExpected);
    const Allocator& original = originals[domain][layer];
    return original.calloc(original.context, count, bytes);
  }

  static void* calloc(void*, size_t count, size_t bytes) {
    size_t total = 0;
    if (__builtin_mul_overflow(count, bytes, &total))
      return calloc_in_scope(count, bytes);  // fails
    if (!sampler::passes_unsampled(total)) return calloc_not_passed(count, bytes, total);
    if (below == Below::kUnknown || total > kMaxPymallocBytes) return calloc_in_scope(count, bytes);
    const Allocator& original = originals[domain][layer];
    return original.calloc(original.context, count, bytes);
  }

  __attribute__((noinline)) static void* realloc_not_passed(void* old_block, size_t bytes) {
    const Allocator& original = originals[domain][layer];
    return sampled(kKinds[domain].realloc, bytes, [&](size_t asked) {
      return original.realloc(original.context, old_block, asked);
    });
  }

  __attribute__((noinline)) static void* realloc_of_sample(void* old_block, size_t bytes) {
    const Allocator& original = originals[domain][layer];
    HookScope scope(InnerCalls::kExpected);
    if (!scope.outermost()) return original.realloc(original.context, old_block, bytes);
    // None at all may look like a sampled block, too: their table is one of hashes.
    if (old_block != nullptr) record_free(old_block);
    const uint64_t interval = draw_sample(bytes);
    void* block = original.realloc(original.context, old_block,
                                   interval == 0 ? bytes : asked_for(layer, bytes));
    if (block == nullptr) {
      if (old_block != nullptr) record_undo();
    } else if (interval != 0) {
      record_sample(kKinds[domain].realloc, block, bytes, interval);
    }
    return block;
  }

  static void* realloc(void*, void* old_block, size_t bytes) {
    if (sampled_blocks::may_hold(old_block)) return realloc_of_sample(old_block, bytes);
    if (!sampler::passes_unsampled(bytes)) return realloc_not_passed(old_block, bytes);
    HookScope scope(InnerCalls::kExpected);  // the old block may be a large one
    const Allocator& original = originals[domain][layer];
    return original.realloc(original.context, old_block, bytes);
  }

  __attribute__((noinline)) static void free_not_passed(void* block) {
    HookScope scope(InnerCalls::kExpected);
    const Allocator& original = originals[domain][layer];
    if (scope.outermost() && block != nullptr) record_free(block);
    original.free(original.context, block);
  }

  static void free(void*, void* block) {
    if (sampled_blocks::may_hold(block)) return free_not_passed(block);
    const Allocator& original = originals[domain][layer];
    original.free(original.context, block);
  }

  static Allocator table(void* context) {
    return {context, malloc, calloc, realloc,
            below == Below::kPymalloc ? originals[domain][layer].free : free};
  }
};

template <size_t domain, size_t... layers>
Allocator hooks_of_layer(size_t layer, void* context, std::index_sequence<layers...>) {
  if (sampler::chosen()) {
    const Allocator tables[] = {SamplingHooks<domain, layers, Below::kUnknown>::table(context)...};
    return tables[layer];
  }
  const Allocator tables[] = {Hooks<domain, layers>::table(context)...};
  return tables[layer];
}

Allocator hooks_of(size_t domain, size_t layer, void* context) {
  constexpr auto kAllLayers = std::make_index_sequence<kLayers>{};
  return domain == kMem ? hooks_of_layer<kMem>(layer, context, kAllLayers)
                        : hooks_of_layer<kObject>(layer, context, kAllLayers);
}

Allocator hooks_on_pymalloc(size_t domain, void* context) {
  return domain == kMem ? SamplingHooks<kMem, 0, Below::kPymalloc>::table(context)
                        : SamplingHooks<kObject, 0, Below::kPymalloc>::table(context);
}

bool is_ours(size_t domain, const Allocator& allocator) {
  if (hooks_on_pymalloc(domain, nullptr).malloc == allocator.malloc) return true;
  for (size_t layer = 0; layer < layer_count[domain]; ++layer) {
    if (hooks_of(domain, layer, nullptr).malloc == allocator.malloc) return true;
  }
  return false;
}

bool install(size_t domain) {
  Allocator current{};
  runtime.get_allocator(domain_number(domain), &current);
  if (current.malloc == nullptr || is_ours(domain, current)) return true;
  if (layer_count[domain] == kLayers) return false;
  const size_t layer = layer_count[domain]++;
  originals[domain][layer] = current;
  Allocator hooked = hooks_of(domain, layer, current.context);
  runtime.set_allocator(domain_number(domain), &hooked);
  return true;
}

std::atomic<bool> found_out[kDomainCount];

// In a hook, so by a thread that may call the allocator, and as soon as nobody replaces it any
// more.
void find_out_what_lies_below(size_t domain) {
  if (found_out[domain].load(std::memory_order_relaxed) || runtime.is_initialized() == 0 ||
      found_out[domain].exchange(true)) {
    return;
  }
  Allocator current{};
  runtime.get_allocator(domain_number(domain), &current);
  const Allocator& original = originals[domain][0];
  // Others may have come on top of us, tracemalloc for one.
  if (current.malloc != hooks_of(domain, 0, nullptr).malloc || !is_pymalloc(original) ||
      !hide_arenas()) {
    return;
  }
  Allocator hooked = hooks_on_pymalloc(domain, original.context);
  runtime.set_allocator(domain_number(domain), &hooked);
}

// A thread may be in the hooks that are taken off: their originals stay what they are until hooks
// are installed again, when everybody has left.
void remove(size_t domain) {
  Allocator current{};
  while (layer_count[domain] != 0) {
    const size_t layer = layer_count[domain] - 1;
    runtime.get_allocator(domain_number(domain), &current);
    const bool on_top = current.malloc == hooks_of(domain, layer, nullptr).malloc ||
                        (layer == 0 && current.malloc == hooks_on_pymalloc(domain, nullptr).malloc);
    if (!on_top) return;
    Allocator original = originals[domain][layer];
    runtime.set_allocator(domain_number(domain), &original);
    --layer_count[domain];
    if (layer == 0) found_out[domain].store(false, std::memory_order_relaxed);
  }
}

}  // namespace

void remove_allocator_hooks() {
  remove(kMem);
  remove(kObject);
}

bool install_allocator_hooks() {
  python_heap::before_asking = remove_allocator_hooks;
  hide_arenas();
  const bool mem = install(kMem);
  const bool object = install(kObject);
  return mem && object;
}

}  // namespace memlens::interposer::python
