#include "interposer/stacks/stack_capture.h"

namespace memlens::interposer {

void reset_stack_state(StackState& state) { state.python.reset(); }

uint32_t capture_stack(StackState& state) { return capture_python_stack(state.python); }

}  // namespace memlens::interposer
