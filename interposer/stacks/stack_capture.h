// The stack of an event: Python frames, native frames, or both woven together.
#pragma once

#include <cstdint>

#include "interposer/stacks/hybrid_stack.h"
#include "interposer/stacks/native_stack.h"
#include "interposer/stacks/python_stack.h"

namespace memlens::interposer {

// What only native stacks need: four fifths of all caches of a thread.
struct NativeState {
  HybridStackState hybrid;
  NativeStackState native;
};

// Caches of one thread, in zeroed pages.
struct StackState {
  bool with_native;
  NativeState* native;  // mapped where native stacks are wanted; stays with the state
  PythonStackState python;
};

// Makes the caches fit for another thread of the process, which has joined a session. False without
// memory for them.
bool reset_stack_state(StackState& state);

// The node of the calling thread's stack.
inline uint32_t capture_stack(StackState& state) {
  if (__builtin_expect(!state.with_native, 1)) return capture_python_stack(state.python);
  NativeState& native = *state.native;
  if (!python_stacks_ready()) return capture_native_stack(native.native);
  return capture_hybrid_stack(native.hybrid, native.native, state.python);
}

}  // namespace memlens::interposer
