#include "interposer/stacks/stack_capture.h"

#include "interposer/process.h"

namespace memlens::interposer {

void reset_stack_state(StackState& state) {
  state.python.reset();
  state.hybrid.reset();
  state.native.reset();
}

uint32_t capture_stack(StackState& state) {
  if ((process.segment->options & segment::kOptionNative) == 0) {
    return capture_python_stack(state.python);
  }
  if (!python_stacks_ready()) return capture_native_stack(state.native);
  return capture_hybrid_stack(state.hybrid, state.native, state.python);
}

}  // namespace memlens::interposer
