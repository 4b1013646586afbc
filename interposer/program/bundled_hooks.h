// Hooks that are given their real function at run time, a number of them for each shape of call.
//
// A hook must know its function without being told by its caller, so each is code of its own. They
// are used again when the library of their function is gone.
#pragma once

#include <atomic>
#include <cstdint>

#include "interposer/format/allocation_kind.h"
#include "interposer/program/allocator_names.h"

namespace memlens::interposer {

struct BundledHook {
  std::atomic<uintptr_t> real{0};  // 0: free
  format::AllocationKind kind{};
  uintptr_t entry = 0;  // the hook's code
};

inline constexpr unsigned kBundledHooks = 185;  // of all shapes

// One thread at a time. nullptr: all are in use.
BundledHook* take_bundled_hook(CallShape shape, uintptr_t real, format::AllocationKind kind);
// Precondition: nobody calls it any more.
void give_bundled_hook_back(BundledHook* hook);
unsigned free_bundled_hooks(CallShape shape);

}  // namespace memlens::interposer
