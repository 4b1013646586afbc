// The stack of an event: Python frames, native frames, or both woven together.
#pragma once

#include <cstdint>

#include "interposer/stacks/hybrid_stack.h"
#include "interposer/stacks/native_stack.h"
#include "interposer/stacks/python_stack.h"

namespace memlens::interposer {

// Caches of one thread, in zeroed pages.
struct StackState {
  PythonStackState python;
  HybridStackState hybrid;
  NativeStackState native;
};

// Makes the caches fit for another thread.
void reset_stack_state(StackState& state);

// The node of the calling thread's stack.
uint32_t capture_stack(StackState& state);

}  // namespace memlens::interposer
