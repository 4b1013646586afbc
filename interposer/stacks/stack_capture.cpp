#include "interposer/stacks/stack_capture.h"

#include "interposer/process.h"

namespace memlens::interposer {

void reset_stack_state(StackState& state) {
  const uint32_t options = process.segment->options;
  state.with_native = (options & segment::kOptionNative) != 0;
  state.python.reset();
  state.python.steady_ticks = (options & segment::kOptionSteadyTicks) != 0;
  state.hybrid.reset();
  state.native.reset();
}

}  // namespace memlens::interposer
