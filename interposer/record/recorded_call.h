// What hooks of allocating functions do around the real call; recorder.h has the ordering rules.
#pragma once

#include <cstddef>

#include "interposer/guest/reentrancy.h"
#include "interposer/record/recorder.h"
#include "interposer/record/sampling/sampler.h"

namespace memlens::interposer {

// After the real call, which gave `block`; null: it failed. A nested block may have ended a
// countdown also while every event is to be seen (sampler.h).
__attribute__((always_inline)) inline void* recorded(const HookScope& scope, AllocationKind kind,
                                                     void* block, size_t bytes) {
  if (!scope.outermost()) {
    sampler::draw_anew();
  } else if (__builtin_expect(block != nullptr, 1)) {
    record_allocation(kind, block, bytes);
  }
  return block;
}

// realloc is a free before `call`, and an allocation or an undo after it.
template <typename Call>
__attribute__((always_inline)) inline void* reallocate(AllocationKind kind, void* block,
                                                       size_t bytes, Call call,
                                                       InnerCalls inner_calls = {}) {
  HookScope scope(inner_calls);
  const bool record = scope.outermost();
  if (record && block != nullptr) record_free(block);
  void* moved = call();
  if (!record) {
    sampler::draw_anew();
    return moved;
  }
  if (moved != nullptr) {
    record_allocation(kind, moved, bytes);
  } else if (block != nullptr && bytes != 0) {
    record_undo();  // the old block lives on; realloc(p, 0) that returns null has freed it
  }
  return moved;
}

}  // namespace memlens::interposer
