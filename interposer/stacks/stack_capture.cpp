#include "interposer/stacks/stack_capture.h"

#include "interposer/guest/private_memory.h"
#include "interposer/session/process.h"
#include "interposer/stacks/native_caches.h"

namespace memlens::interposer {
namespace {

bool map_native(StackState& state) {
  if (!make_native_caches()) return false;
  if (state.native == nullptr)
    state.native = static_cast<NativeState*>(map_pages(sizeof(NativeState)));
  return state.native != nullptr;
}

}  // namespace

bool reset_stack_state(StackState& state) {
  const segment::SegmentHeader& session = *process.segment;
  const bool with_native = (session.options & segment::kOptionNative) != 0;
  if (with_native && !map_native(state)) return false;
  state.with_native = with_native;
  const bool every_block = session.sample_interval.load(std::memory_order_relaxed) == 0 &&
                           (session.options & segment::kOptionPythonAllocators) != 0;
  state.python.reset(session.steady_ticks_per_us, every_block);
  if (with_native) {
    state.native->hybrid.reset();
    state.native->native.reset();
  }
  return true;
}

}  // namespace memlens::interposer
