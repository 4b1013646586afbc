#include "interposer/stacks/stack_capture.h"

namespace memlens::interposer {

void reset_stack_state(StackState& state) {
  state.python.reset();
  state.hybrid.reset();
  state.native.reset();
}

}  // namespace memlens::interposer
