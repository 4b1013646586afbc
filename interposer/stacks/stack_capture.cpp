#include "interposer/stacks/stack_capture.h"

#include "interposer/process.h"

namespace memlens::interposer {

void reset_stack_state(StackState& state) {
  const segment::SegmentHeader& session = *process.segment;
  state.with_native = (session.options & segment::kOptionNative) != 0;
  state.python.reset(session.steady_ticks_per_us);
  state.hybrid.reset();
  state.native.reset();
}

}  // namespace memlens::interposer
