#include "interposer/python/allocator_hooks.h"

#include <cstddef>
#include <utility>

#include "interposer/python/runtime.h"
#include "interposer/recorder.h"
#include "interposer/reentrancy.h"
#include "interposer/sampled_blocks.h"
#include "interposer/sampler.h"

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
    HookScope scope;
    const Allocator& original = originals[domain][layer];
    void* block = original.malloc(original.context, bytes);
    if (scope.outermost() && block != nullptr) {
      record_allocation(kKinds[domain].malloc, block, bytes);
    }
    return block;
  }

  static void* calloc(void*, size_t count, size_t bytes) {
    HookScope scope;
    const Allocator& original = originals[domain][layer];
    void* block = original.calloc(original.context, count, bytes);
    // The product cannot overflow: the call would have failed.
    if (scope.outermost() && block != nullptr) {
      record_allocation(kKinds[domain].calloc, block, count * bytes);
    }
    return block;
  }

  static void* realloc(void*, void* old_block, size_t bytes) {
    HookScope scope;
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
    HookScope scope;
    const Allocator& original = originals[domain][layer];
    if (scope.outermost() && block != nullptr) record_free(block);
    original.free(original.context, block);
  }

  static constexpr Allocator table(void* context) {
    return {context, malloc, calloc, realloc, free};
  }
};

// Where samples are taken: the same, and what is not one passes first. These functions are called
// more often than any others, so they are a set of their own. The scope remains, since pymalloc
// asks malloc and mmap for what it hands out.
template <size_t domain, size_t layer>
struct SamplingHooks {
  using Full = Hooks<domain, layer>;

  static void* malloc(void* context, size_t bytes) {
    if (!sampler::passes_unsampled(bytes)) return Full::malloc(context, bytes);
    OutermostScope scope;
    const Allocator& original = originals[domain][layer];
    return original.malloc(original.context, bytes);
  }

  static void* calloc(void* context, size_t count, size_t bytes) {
    size_t total = 0;
    if (__builtin_mul_overflow(count, bytes, &total) || !sampler::passes_unsampled(total)) {
      return Full::calloc(context, count, bytes);
    }
    OutermostScope scope;
    const Allocator& original = originals[domain][layer];
    return original.calloc(original.context, count, bytes);
  }

  static void* realloc(void* context, void* old_block, size_t bytes) {
    if (sampled_blocks::may_hold(old_block) || !sampler::passes_unsampled(bytes)) {
      return Full::realloc(context, old_block, bytes);
    }
    OutermostScope scope;
    const Allocator& original = originals[domain][layer];
    return original.realloc(original.context, old_block, bytes);
  }

  static void free(void* context, void* block) {
    if (sampled_blocks::may_hold(block)) return Full::free(context, block);
    const Allocator& original = originals[domain][layer];
    original.free(original.context, block);
  }

  static constexpr Allocator table(void* context) {
    return {context, malloc, calloc, realloc, free};
  }
};

template <size_t domain, size_t... layers>
Allocator hooks_of_layer(size_t layer, void* context, std::index_sequence<layers...>) {
  if (sampler::chosen()) {
    const Allocator tables[] = {SamplingHooks<domain, layers>::table(context)...};
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

bool is_ours(size_t domain, const Allocator& allocator) {
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

}  // namespace

bool install_allocator_hooks() {
  const bool mem = install(kMem);
  const bool object = install(kObject);
  return mem && object;
}

}  // namespace memlens::interposer::python
