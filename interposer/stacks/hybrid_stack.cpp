#include "interposer/stacks/hybrid_stack.h"

#include <algorithm>
#include <cerrno>

#include "interposer/definitions/definitions.h"
#include "interposer/stacks/hybrid_interpreter.h"
#include "interposer/stacks/native_nodes.h"

namespace memlens::interposer {
namespace {

const NativeFrame* outer_frame(const NativeStackState& native, uint32_t index) {
  return index > 0 ? &native.frames[index - 1] : nullptr;
}

uint32_t count_runs(PythonStackState& python, uint32_t first, uint32_t depth) {
  uint32_t count = 0;
  for (uint32_t i = first; i < depth; ++i) count += begins_loop(python, i) ? 1 : 0;
  return count;
}

// One weave: from a native frame on inward, on top of what is woven already.
class Weaver {
 public:
  Weaver(HybridStackState& state, NativeStackState& native, PythonStackState& python)
      : state_(state), native_(native), python_(python) {}

  uint32_t native_depth = 0;
  uint32_t python_depth = 0;
  // The outermost frames that are what they were in the last weave.
  uint32_t kept_native = 0;
  uint32_t kept_python = 0;
  // Of the last weave: how many Python frames, and loops, with state.loops.
  uint32_t woven_python = 0;
  uint32_t woven_loops = 0;

  uint32_t run() {
    start_at_innermost_kept_loop();
    loops_left_ = native_.count_loops(first_, native_depth);
    uint32_t runs = count_runs_left();
    if (state_.unbalanced != 0 || loops_left_ != runs) {
      first_ = position_ = run_end_ = state_.loop_count = 0;
      loops_left_ = native_.count_loops(0, native_depth);
      runs = count_runs_left();
    }
    state_.unbalanced = loops_left_ != runs;
    const uint32_t node = weave(runs);
    state_.python_depth = position_;
    state_.native_depth = native_depth;
    return node;
  }

 private:
  // The innermost loop that is still there and runs frames it ran is woven again: the same Python
  // frames may now be entered from C further in.
  void start_at_innermost_kept_loop() {
    first_ = kept_native;
    state_.loop_count = 0;
    if (woven_loops == 0) return;
    uint32_t loop = woven_loops - 1;
    while (loop > 0 &&
           (!is_kept(state_.loops[loop]) || state_.loops[loop].python_start > kept_python)) {
      --loop;
    }
    state_.loop_count = loop;
    if (state_.loops[loop].native_index < first_) first_ = state_.loops[loop].native_index;
    position_ = state_.loops[loop].python_start;
    run_end_ = loop + 1 < woven_loops ? state_.loops[loop + 1].python_start : woven_python;
    if (kept_python < run_end_) run_end_ = kept_python;
  }

  // A loop that is at another instruction now is still the same loop.
  bool is_kept(const HybridStackState::Loop& loop) const {
    if (loop.native_index != kept_native) return loop.native_index < kept_native;
    if (kept_native >= native_depth) return false;
    const NativeFrame& frame = native_.frames[kept_native];
    return frame.interpreter != 0 && frame.stack_pointer == loop.stack_pointer;
  }

  uint32_t count_runs_left() const {
    if (run_end_ <= position_) return count_runs(python_, position_, python_depth);
    return count_runs(python_, position_, position_ + 1) +
           count_runs(python_, run_end_, python_depth);
  }

  // `runs` groups of Python frames are left, from position_ on. It is the innermost loops and runs
  // that correspond: outer loops may run another interpreter's frames, or be missing in a stack cut
  // short.
  uint32_t weave(uint32_t runs) {
    NativeFrame* const frames = native_.frames;
    uint32_t node = first_ > 0 ? frames[first_ - 1].node : format::kRootNode;
    uint32_t woven_on = node;  // the node that the frame at hand was on top of
    uint32_t foreign_loops = loops_left_ > runs ? loops_left_ - runs : 0;
    uint32_t surplus_runs = runs > loops_left_ ? runs - loops_left_ : 0;
    for (uint32_t i = first_; i < native_depth; ++i) {
      NativeFrame& frame = frames[i];
      const uint32_t before = i < kept_native ? frame.node : format::kRootNode;
      const bool as_before = before != format::kRootNode && node == woven_on;
      if (frame.interpreter == 0) {
        if (as_before && native_.count_loops(i, kept_native) == 0 &&
            frames[kept_native - 1].node != format::kRootNode) {
          // So is all further in that is kept.
          node = woven_on = frames[kept_native - 1].node;
          i = kept_native - 1;
          continue;
        }
        node =
            as_before ? before : intern_native_frame(native_, node, frame, outer_frame(native_, i));
      } else {
        --loops_left_;
        if (foreign_loops > 0 || position_ >= python_depth ||
            state_.loop_count == kMaxPythonFrames) {
          if (foreign_loops > 0) --foreign_loops;
          node = intern_native_frame(native_, node, frame, outer_frame(native_, i));
        } else {
          bool run_as_before = enter_loop(i) && as_before;
          for (; surplus_runs > 0; --surplus_runs) {
            node = weave_run(node, false);
            run_as_before = false;
          }
          node = weave_run(node, run_as_before);
        }
      }
      frame.node = node;
      woven_on = before;
    }
    return node;
  }

  // Whether the last weave had the same loop start at the same Python frame.
  bool enter_loop(uint32_t native_index) {
    HybridStackState::Loop& loop = state_.loops[state_.loop_count];
    const bool same = state_.loop_count < woven_loops && loop.native_index == native_index &&
                      loop.python_start == position_;
    loop = {native_index, position_, native_.frames[native_index].stack_pointer};
    ++state_.loop_count;
    return same;
  }

  // Lays the Python frames of one loop over `node`, or all that are left when it is the last.
  // `as_before`: the run was on top of the same node.
  uint32_t weave_run(uint32_t node, bool as_before) {
    const bool all = loops_left_ == 0;
    // The first run has what is outermost as well, the thread's own mark.
    const uint32_t start = position_ == 0 && !begins_loop(python_, 0) ? 1 : position_;
    while (position_ < python_depth) {
      if (position_ != start && !all && position_ >= run_end_ && begins_loop(python_, position_)) {
        break;
      }
      // From here on to run_end_ the run is what it was: a step, however deep Python is.
      if (as_before && position_ < run_end_ &&
          state_.python_nodes[run_end_ - 1] != format::kRootNode) {
        position_ = run_end_;
        node = state_.python_nodes[position_ - 1];
        continue;
      }
      const uint32_t before =
          position_ < kept_python ? state_.python_nodes[position_] : format::kRootNode;
      node = as_before && before != format::kRootNode
                 ? before
                 : intern_python_frame(python_, position_, node);
      // Where loops and runs do not match, what was on native frames may now be on Python's.
      as_before = state_.unbalanced == 0 && node == before;
      state_.python_nodes[position_] = node;
      ++position_;
    }
    return node;
  }

  HybridStackState& state_;
  NativeStackState& native_;
  PythonStackState& python_;
  uint32_t first_ = 0;     // native frame to begin with
  uint32_t position_ = 0;  // the next Python frame
  uint32_t run_end_ = 0;   // up to here no Python frame after position_ begins a run
  uint32_t loops_left_ = 0;
};

// Without native frames.
uint32_t python_node(PythonStackState& python, const PythonWalk& walk) {
  uint32_t node = walk.deep_node;
  for (uint32_t i = 0; i < walk.depth; ++i) node = intern_python_frame(python, i, node);
  return node;
}

// For stacks too deep for the caches: Python's innermost frames, and the native ones inside of the
// innermost loop.
uint32_t capture_deep_stack(NativeStackState& native, PythonStackState& python,
                            const PythonWalk& walk) {
  uint32_t node = python_node(python, walk);
  if (node == format::kRootNode) node = intern_label_node(node, kDeepNativeStackLabel);
  uint32_t first = native.depth;
  while (first > 0 && native.frames[first - 1].interpreter == 0 &&
         native.depth - first < kInnermostFramesOfDeepNativeStack) {
    --first;
  }
  return node_of_deep_frames(native, node, first);
}

// Loops and Python's frames do not match: makes those loops known that entry frames lie in. Of a
// program where that is so for good (another interpreter's loops), only now and then.
__attribute__((noinline, cold)) bool learn_loops(HybridStackState& state, NativeStackState& native,
                                                 PythonStackState& python, uint32_t python_depth) {
  constexpr uint32_t kAtOnce = 16, kNowAndThen = 4096;
  if (state.lessons++ >= kAtOnce && state.lessons % kNowAndThen != 0) return false;
  bool too_deep = false;
  native.depth = 0;
  update_native_frames(native, __builtin_frame_address(0), false, too_deep);
  if (too_deep) return false;
  bool learned = false;
  for (uint32_t position = 0; position < python_depth; ++position) {
    const uintptr_t entry = entry_on_c_stack(python, position);
    if (entry == 0) continue;
    const NativeFrame* const frames = native.frames;
    const NativeFrame* const end = frames + native.depth;
    const NativeFrame* frame = std::partition_point(
        frames, end, [entry](const NativeFrame& each) { return each.stack_pointer > entry; });
    if (frame == frames || frame == end || frame->interpreter != 0) continue;
    if (learn_evaluation_loop(frame->code_address(), native.objects, native.scratch)) {
      learned = true;
    }
  }
  native.depth = 0;
  if (learned) state.lessons = 0;
  return learned;
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
  Weaver weaver(state, native, python);
  weaver.woven_python = state.python_depth;
  weaver.woven_loops = state.loop_count;
  // Nothing is kept for whoever comes when this is left by a jump.
  state.python_depth = 0;
  state.loop_count = 0;
  const PythonWalk walk = walk_python_stack(python);
  bool too_deep = false;
  const uint32_t kept = update_native_frames(native, __builtin_frame_address(0), true, too_deep);
  if (__builtin_expect(too_deep || walk.deep_node != format::kRootNode, 0)) {
    keep_top_frames(native);
    const uint32_t node = capture_deep_stack(native, python, walk);
    // Frames of a deep stack have no nodes; others may have woven ones.
    if (!too_deep) native.depth = 0;
    return node;
  }
  // On top of what is woven. Never with no frame below.
  const auto with_top = [&native](uint32_t node, uint32_t depth) {
    return native.top == nullptr
               ? node
               : intern_native_run(native, node, *native.top, native.frames[depth - 1]);
  };

  weaver.native_depth = native.depth;
  weaver.python_depth = walk.depth;
  weaver.kept_native = kept;
  weaver.kept_python = walk.unchanged < weaver.woven_python ? walk.unchanged : weaver.woven_python;
  if (kept == native.depth && kept == state.native_depth && weaver.woven_python == walk.depth &&
      weaver.kept_python == walk.depth) {
    state.python_depth = walk.depth;
    state.loop_count = weaver.woven_loops;
    return with_top(state.node, native.depth);
  }
  native.depth = 0;
  state.node = weaver.run();
  if (__builtin_expect(walk.depth > 0 && state.loop_count == 0, 0)) {
    // Python runs, but none of its loops is to be seen.
    state.python_depth = 0;
    if (learn_loops(state, native, python, walk.depth)) {
      return capture_hybrid_stack(state, native, python);
    }
    return python_node(python, walk);
  }
  const uint32_t node = with_top(state.node, weaver.native_depth);
  if (__builtin_expect(state.unbalanced != 0, 0)) {
    if (learn_loops(state, native, python, walk.depth)) {
      return capture_hybrid_stack(state, native, python);
    }
    if (native.depth == 0) return node;
  }
  native.depth = weaver.native_depth;
  return node;
}

}  // namespace memlens::interposer
