#include "interposer/stacks/hybrid_stack.h"

#include <cerrno>

#include "interposer/definitions.h"
#include "interposer/stacks/hybrid_interpreter.h"

namespace memlens::interposer {
namespace {

const NativeFrame* outer_frame(const NativeStackState& native, uint32_t index) {
  return index > 0 ? &native.frames[index - 1] : nullptr;
}

// Lays Python frames from `position` on over `node`: those of one loop, or all that are left.
uint32_t weave_python(HybridStackState& state, PythonStackState& python, uint32_t depth,
                      uint32_t& position, bool all, uint32_t node) {
  const uint32_t start = position;
  for (; position < depth; ++position) {
    if (position != start && !all && begins_loop(python, position)) break;
    node = intern_python_frame(python, position, node);
    state.python[position] = {python.stack[position].frame, python.stack[position].node};
  }
  return node;
}

// Python frames that are what they were, from the outermost on.
uint32_t unchanged_python(const HybridStackState& state, const PythonStackState& python,
                          uint32_t depth) {
  const uint32_t known = state.python_depth < depth ? state.python_depth : depth;
  uint32_t position = 0;
  while (position < known && state.python[position].frame == python.stack[position].frame &&
         state.python[position].python_node == python.stack[position].node) {
    ++position;
  }
  return position;
}

uint32_t count_loops(const NativeStackState& native, uint32_t first) {
  uint32_t count = 0;
  for (uint32_t i = first; i < native.depth; ++i) count += native.frames[i].interpreter;
  return count;
}

uint32_t count_runs(PythonStackState& python, uint32_t first, uint32_t depth) {
  uint32_t count = 0;
  for (uint32_t i = first; i < depth; ++i) count += begins_loop(python, i) ? 1 : 0;
  return count;
}

// Weaves from native frame `first` inward, on top of what is woven already; `loops` evaluation
// loops are left there, and `runs` groups of Python frames from `position` on. It is the
// innermost that correspond: outer loops may run another interpreter's frames, or be missing in a
// stack cut short.
uint32_t weave(HybridStackState& state, NativeStackState& native, PythonStackState& python,
               uint32_t python_depth, uint32_t first, uint32_t position, uint32_t loops,
               uint32_t runs) {
  NativeFrame* const frames = native.frames;
  uint32_t node = first > 0 ? frames[first - 1].node : format::kRootNode;
  uint32_t foreign_loops = loops > runs ? loops - runs : 0;
  uint32_t surplus_runs = runs > loops ? runs - loops : 0;
  for (uint32_t i = first; i < native.depth; ++i) {
    if (frames[i].interpreter != 0) --loops;
    if (frames[i].interpreter != 0 && foreign_loops > 0) {
      --foreign_loops;
      node = intern_native_frame(native, node, frames[i], outer_frame(native, i));
    } else if (frames[i].interpreter != 0 && position < python_depth &&
               state.loop_count < kMaxPythonFrames) {
      state.loops[state.loop_count++] = {i, position};
      for (; surplus_runs > 0; --surplus_runs) {
        node = weave_python(state, python, python_depth, position, false, node);
      }
      node = weave_python(state, python, python_depth, position, loops == 0, node);
    } else {
      node = intern_native_frame(native, node, frames[i], outer_frame(native, i));
    }
    frames[i].node = node;
  }
  return node;
}

// For stacks too deep for the caches: Python's innermost frames, and the native ones inside of the
// innermost loop.
uint32_t capture_deep_stack(NativeStackState& native, uint32_t python_node) {
  uint32_t first = native.depth;
  while (first > 0 && native.frames[first - 1].interpreter == 0) --first;
  if (native.depth - first > kInnermostFramesOfDeepNativeStack) {
    first = native.depth - kInnermostFramesOfDeepNativeStack;
  }
  uint32_t node = python_node;
  if (node == format::kRootNode) node = intern_label_node(node, kDeepNativeStackLabel);
  for (uint32_t i = first; i < native.depth; ++i) {
    node = intern_native_frame(native, node, native.frames[i], outer_frame(native, i));
  }
  return node;
}

}  // namespace

__attribute__((noinline)) uint32_t capture_hybrid_stack(HybridStackState& state,
                                                        NativeStackState& native,
                                                        PythonStackState& python) {
  if (__builtin_expect(state.active == 0, 0)) {
    const int saved_errno = errno;
    find_evaluation_loop(native.objects, native.scratch);
    errno = saved_errno;
    native.depth = 0;
    state.python_depth = 0;
    state.loop_count = 0;
    state.active = 1;
  }
  const uint32_t python_node = capture_python_stack(python);
  const uint32_t python_depth = python_node == format::kRootNode ? 0 : python.depth;
  bool too_deep = false;
  const uint32_t kept = update_native_frames(native, __builtin_frame_address(0), too_deep);
  if (__builtin_expect(too_deep || (python_node != format::kRootNode && python_depth == 0), 0)) {
    const uint32_t node = capture_deep_stack(native, python_node);
    native.depth = 0;
    state.python_depth = 0;
    state.loop_count = 0;
    return node;
  }

  const uint32_t same_python = unchanged_python(state, python, python_depth);
  if (kept == native.depth && same_python == python_depth && state.python_depth == python_depth &&
      kept == state.native_depth) {
    return state.node;
  }
  // Loops that are still there and run the frames they ran. The innermost of these is woven again
  // in any case: the same Python frames may now be entered from C further in.
  uint32_t loops = 0;
  while (loops + 1 < state.loop_count && state.loops[loops + 1].native_index < kept &&
         state.loops[loops + 1].python_start <= same_python) {
    ++loops;
  }
  uint32_t first = kept, position = 0;
  if (loops < state.loop_count) {
    if (state.loops[loops].native_index < first) first = state.loops[loops].native_index;
    position = state.loops[loops].python_start;
  }
  uint32_t native_loops = count_loops(native, first);
  uint32_t runs = count_runs(python, position, python_depth);
  if (state.unbalanced != 0 || native_loops != runs) {
    first = 0;
    position = 0;
    loops = 0;
    native_loops = count_loops(native, first);
    runs = count_runs(python, position, python_depth);
  }
  state.unbalanced = native_loops != runs;
  state.loop_count = loops;
  const uint32_t node =
      weave(state, native, python, python_depth, first, position, native_loops, runs);
  state.python_depth = python_depth;
  state.native_depth = native.depth;
  if (__builtin_expect(python_depth > 0 && state.loop_count == 0, 0)) {
    // Python runs, but none of its loops is to be seen.
    native.depth = 0;
    state.python_depth = 0;
    return python_node;
  }
  state.node = node;
  return node;
}

}  // namespace memlens::interposer
