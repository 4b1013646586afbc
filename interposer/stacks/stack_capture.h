// The stack of an event: Python frames, native frames, or both woven together.
#pragma once

#include <cstdint>

#include "interposer/process.h"
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
inline uint32_t capture_stack(StackState& state) {
  if ((process.segment->options & segment::kOptionNative) == 0) {
    return capture_python_stack(state.python);
  }
  if (!python_stacks_ready()) return capture_native_stack(state.native);
  return capture_hybrid_stack(state.hybrid, state.native, state.python);
}

}  // namespace memlens::interposer
