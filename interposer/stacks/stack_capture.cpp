#include "interposer/stacks/stack_capture.h"

#include "interposer/process.h"

namespace memlens::interposer {

void reset_stack_state(StackState& state) {
  state.python.reset();
  state.native.reset();
}

uint32_t capture_stack(StackState& state) {
  const bool native = (process.segment->options & segment::kOptionNative) != 0;
  if (!native || python_stacks_ready()) return capture_python_stack(state.python);
  return capture_native_stack(state.native);
}

}  // namespace memlens::interposer
