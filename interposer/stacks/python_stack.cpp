#include "interposer/stacks/python_stack.h"

#include <atomic>
#include <cstddef>
#include <cstring>
#include <utility>

#include "interposer/definitions/definitions.h"
#include "interposer/python/code_table.h"
#include "interposer/python/interpreter_frame.h"
#include "interposer/python/known_layouts.h"
#include "interposer/python/running_task.h"
#include "interposer/python/runtime.h"
#include "interposer/python/thread_of_interpreter.h"
#include "interposer/stacks/deep_reach.h"
#include "interposer/stacks/python_nodes.h"
#include "interposer/stacks/python_tasks.h"

namespace memlens::interposer {

namespace {
uint32_t capture_nothing(PythonStackState& /*state*/) { return format::kRootNode; }
}  // namespace

std::atomic<PythonCapture> python_capture{&capture_nothing};

namespace {

using python::CompiledLayout;
using python::frame_code;
using python::frame_instruction;
using python::innermost_frame;
using python::InstructionForm;
using python::is_interpreters_own;
using python::kAbsent;
using python::kInstructionIsPlace;
using python::Layout;
using python::previous_frame;
using python::read_field;
using python::runtime;
using python::RuntimeLayout;
using python::StatedLayout;
using python::StatedThreadLayout;

// ---- what is kept

uint16_t& position_of(PythonStackState& state, const char* frame) {
  const auto hash = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(frame) >> 3) * 0x9E3779B1u;
  static_assert(PythonStackState::kPositions == 1u << 10);
  return state.positions[hash >> 22];
}

// Before anything in `state` is used: forgets what code objects freed since could have left in it.
inline void follow_generation(PythonStackState& state) {
  const uint32_t generation = python::code_generation.load(std::memory_order_acquire);
  if (__builtin_expect(state.generation == generation, 1)) return;
  if ((state.generation ^ generation) >> kGenerationBits != 0) {
    std::memset(state.interned, 0, sizeof state.interned);
  }
  state.generation = generation;
  state.depth = 0;
  state.task_count = 0;
}

// ---- the capture

template <typename L>
__attribute__((noinline)) uint32_t capture_deep_stack(PythonStackState& state,
                                                      const char* innermost) {
  if (state.deep_stack_node == 0) {
    state.deep_stack_node = intern_label_node(format::kRootNode, kDeepStackLabel);
  }
  uint32_t count = 0;
  for (const char* frame = innermost; frame != nullptr && count < kInnermostFramesOfDeepStack;
       frame = previous_frame<L>(frame)) {
    state.fresh[count++] = frame;
  }
  uint32_t node = state.deep_stack_node;
  while (count-- > 0) {
    const char* const frame = state.fresh[count];
    PythonFrame entry{frame_code<L>(frame), kUnresolvedCode, 0};
    node = intern_frame<L>(state, {frame, frame_instruction<L>(frame)}, entry, node);
  }
  return node;
}

// The interpreter's frame runs what the kept one at `position` ran. Where the instruction is a
// pointer it lies inside its code object, so the same instruction is the same code.
template <typename L>
inline bool runs_as_before(const PythonStackState& state, const char* frame, uint32_t position) {
  return frame_instruction<L>(frame) == state.links[position].instruction &&
         (kInstructionIsPlace<L> || frame_code<L>(frame) == state.stack[position].code);
}

// Takes over what the frame at `position` runs now.
template <typename L>
inline void take_over(PythonStackState& state, const char* frame, uint32_t position) {
  PythonFrame& entry = state.stack[position];
  const uintptr_t code = frame_code<L>(frame);
  if (code != entry.code) entry.code_id = kUnresolvedCode;
  entry.code = code;
  state.links[position].instruction = frame_instruction<L>(frame);
}

// Compares the kept frames below position `kept` with the interpreter's, out to `first`. Takes over
// what has changed in them, and lowers `changed` to the outermost difference. Returns the position
// whose link leads elsewhere than to the kept stack, or -1.
template <typename L>
inline int64_t validate(PythonStackState& state, uint32_t kept, uint32_t first, uint32_t& changed) {
  for (uint32_t position = kept; position-- > first;) {
    const char* const frame = frame_at(state, position);
    const char* const previous = previous_frame<L>(frame);
    if (__builtin_expect(!runs_as_before<L>(state, frame, position), 0)) {
      take_over<L>(state, frame, position);
      changed = position;
    }
    if (__builtin_expect(previous != state.links[position].previous, 0)) return position;
  }
  return -1;
}

// ---- the walk

#ifdef MEMLENS_CHECK_DEEP_STACKS
constexpr bool kChecksDeepStacks = true;
#else
constexpr bool kChecksDeepStacks = false;
#endif

// Ends the program where a frame further out than `first` is not what it was.
template <typename L>
void check_beyond(PythonStackState& state, uint32_t first) {
  uint32_t changed = first;
  if (validate<L>(state, first, 0, changed) >= 0 || changed != first) __builtin_trap();
}

// `reach`: reach_of(), asked once a walk.
template <typename L>
inline PythonWalk walk_from(PythonStackState& state, const char* innermost, uint32_t reach) {
  const bool was_deep = state.depth > kWorthTheClock;

  // Find where the stack meets the kept one, and make sure that it is the same from there outward.
  uint32_t fresh = 0;             // frames in state.fresh, to be put on top of the kept ones
  uint32_t kept = 0;              // kept frames still good for use
  uint32_t changed = 0;           // the first of them that is not what it was
  uint32_t usable = state.depth;  // kept frames that may still be met
  // Nothing is kept for whoever comes when this walk is left by a jump.
  state.depth = 0;
  asm volatile("" ::: "memory");
  const char* frame = innermost;
  for (;;) {
    kept = 0;
    if (usable != 0 && frame_at(state, usable - 1) == frame) {
      kept = usable;
      frame = nullptr;
    }
    while (frame != nullptr) {
      const uint32_t position = position_of(state, frame);
      if (position < usable && frame_at(state, position) == frame) {
        kept = position + 1;
        break;
      }
      if (__builtin_expect(fresh == kMaxPythonFrames, 0)) {
        return {0, 0, capture_deep_stack<L>(state, innermost)};
      }
      state.fresh[fresh++] = frame;
      frame = previous_frame<L>(frame);
    }
    if (__builtin_expect(kept + fresh > kMaxPythonFrames, 0)) {
      return {0, 0, capture_deep_stack<L>(state, innermost)};
    }
    changed = kept;
    const uint32_t first = kept > reach ? kept - reach : 0;
    const int64_t broken = validate<L>(state, kept, first, changed);
    if (__builtin_expect(broken < 0, 1)) {
      if (kChecksDeepStacks) check_beyond<L>(state, first);
      break;
    }
    // The frames down to the broken link are on the stack, but on top of others than before.
    for (uint32_t i = kept; i-- > broken;) state.fresh[fresh++] = frame_at(state, i);
    usable = static_cast<uint32_t>(broken);
    frame = previous_frame<L>(frame_at(state, usable));
  }

  while (fresh-- > 0) {
    const char* const added = state.fresh[fresh];
    state.links[kept].instruction = frame_instruction<L>(added);
    state.stack[kept] = {frame_code<L>(added), kUnresolvedCode, 0};
    position_of(state, added) = static_cast<uint16_t>(kept++);
    state.links[kept].previous = added;
  }
  if (kept > kWorthTheClock && !was_deep) state.walked_at = 0;
  asm volatile("" ::: "memory");
  state.depth = kept;
  return {kept, changed, format::kRootNode};
}

// Whether the kept stack is the present one, but for what its innermost frame runs, as far out as
// `reach`. Precondition: it is not empty.
//
// All addresses are the kept ones, so that no load waits for another; yet no frame is read before
// one that is there is linked to it, since what is kept may be gone. Links are therefore compared
// one by one, and instructions together.
template <typename L>
inline bool is_kept_but_innermost(const PythonStackState& state, const char* innermost,
                                  uint32_t reach) {
  const uint32_t depth = state.depth;
  if (state.links[depth].previous != innermost) return false;
  const PythonLink* link = state.links + depth - 1;
  const PythonLink* const last = depth > reach ? state.links + depth - reach : state.links;
  const char* frame = innermost;
  uint64_t differs = 0;
  for (;;) {
    const char* const previous = link->previous;
    const char* next = previous;
    asm("" : "+r"(next));  // or the compiler takes what the frame says, and waits for it
    if (previous_frame<L>(frame) != previous) return false;
    if (link == last) break;
    frame = next;
    --link;
    differs |= frame_instruction<L>(frame) ^ link->instruction;
    if (!kInstructionIsPlace<L>) {
      differs |= frame_code<L>(frame) ^ state.stack[link - state.links].code;
    }
  }
  if (kChecksDeepStacks && differs == 0 && depth > reach && reach != kMaxPythonFrames &&
      !is_kept_but_innermost<L>(state, innermost, kMaxPythonFrames)) {
    __builtin_trap();
  }
  return differs == 0;
}

template <typename L>
PythonWalk walk(PythonStackState& state) {
  const void* const thread_state = python::thread_state_of<L>(state.thread);
  const char* innermost = innermost_frame<L>(thread_state);
  if (innermost == nullptr) return {0, 0, format::kRootNode};
  follow_generation(state);
  const uint32_t depth = state.depth;
  const uint32_t reach = reach_of<L>(state);
  PythonWalk found{depth, depth, format::kRootNode};
  if (depth == 0 || !is_kept_but_innermost<L>(state, innermost, reach)) {
    found = walk_from<L>(state, innermost, reach);
  } else if (!runs_as_before<L>(state, innermost, depth - 1)) {
    take_over<L>(state, innermost, depth - 1);
    found.unchanged = depth - 1;
  }
  if (python::asyncio_seen.load(std::memory_order_relaxed)) {
    follow_tasks<L>(state, thread_state, found.unchanged);
  }
  return found;
}

template <typename L, bool tasks>
__attribute__((noinline)) uint32_t capture_changed(PythonStackState& state,
                                                   const void* thread_state, const char* innermost,
                                                   uint32_t reach) {
  PythonWalk found = walk_from<L>(state, innermost, reach);
  if (tasks) follow_tasks<L>(state, thread_state, found.unchanged);
  if (found.depth == 0) return found.deep_node;
  // A jump out of here leaves frames without nodes.
  state.depth = found.unchanged;
  uint32_t node = found.unchanged > 0 ? state.stack[found.unchanged - 1].node : format::kRootNode;
  for (uint32_t i = found.unchanged; i < found.depth; ++i) {
    if (tasks) node = on_task(state, i, node);
    node = intern_frame<L>(state, activation_at(state, i), state.stack[i], node);
  }
  state.depth = found.depth;
  return node;
}

// What most events need stands here on its own: code that makes one object after the other.
template <typename L, bool tasks>
uint32_t capture(PythonStackState& state) {
  const void* const thread_state = python::thread_state_of<L>(state.thread);
  const char* const innermost = innermost_frame<L>(thread_state);
  if (__builtin_expect(innermost == nullptr, 0)) return format::kRootNode;
  follow_generation(state);
  const uint32_t depth = state.depth;
  const uint32_t reach = reach_of<L>(state);
  if (__builtin_expect(depth == 0, 0) || !is_kept_but_innermost<L>(state, innermost, reach) ||
      (tasks && !tasks_are_as_before<L>(state, thread_state))) {
    return capture_changed<L, tasks>(state, thread_state, innermost, reach);
  }
  const uint32_t position = depth - 1;
  PythonFrame& entry = state.stack[position];
  if (runs_as_before<L>(state, innermost, position)) return entry.node;
  // A jump out of here leaves a frame without its node.
  state.depth = position;
  asm volatile("" ::: "memory");
  take_over<L>(state, innermost, position);
  uint32_t parent = position == 0 ? format::kRootNode : state.stack[position - 1].node;
  if (tasks && state.task_count > 0 && state.tasks[state.task_count - 1].position == position) {
    parent = on_task(state, position, parent);
  }
  const uint32_t node = intern_frame<L>(state, activation_at(state, position), entry, parent);
  asm volatile("" ::: "memory");
  state.depth = depth;
  return node;
}

// ---- which of them

struct Ways {
  PythonCapture capture;
  PythonCapture capture_with_tasks;
  PythonWalk (*walk)(PythonStackState& state);
};

template <typename L>
constexpr Ways kWays{capture<L, false>, capture<L, true>, walk<L>};

const Ways* ways = nullptr;  // written once, before python_capture

template <size_t... rows>
const Ways* ways_for(const Layout& layout, std::index_sequence<rows...>) {
  const Ways* chosen = layout.instruction_form == InstructionForm::kThreadPointer
                           ? &kWays<StatedThreadLayout>
                           : &kWays<StatedLayout>;
  (void)((python::kLayouts[rows] == layout && (chosen = &kWays<CompiledLayout<rows>>, true)) ||
         ...);
  return chosen;
}

// In the middle of a capture, which is of the stack without tasks.
void follow_tasks_from_now_on() {
  python_capture.store(ways->capture_with_tasks, std::memory_order_release);
  // Nothing kept is right any more.
  python::code_generation.fetch_add(1, std::memory_order_release);
}

// Whether the calling thread's innermost frame runs `code`.
bool is_executing(const void* code) {
  const void* thread_state = runtime.current_thread_state();
  if (thread_state == nullptr) return false;
  const Layout& layout = runtime.layout;
  const auto* frame =
      read_field<const char*>(thread_state, static_cast<size_t>(layout.thread_frame));
  if (frame != nullptr && layout.cframe_current != kAbsent) {
    frame = read_field<const char*>(frame, static_cast<size_t>(layout.cframe_current));
  }
  if (frame == nullptr) return false;
  const auto executing = read_field<uintptr_t>(frame, static_cast<size_t>(layout.frame_code));
  return (executing & layout.code_mask) == reinterpret_cast<uintptr_t>(code);
}

}  // namespace

PythonWalk walk_python_stack(PythonStackState& state) { return ways->walk(state); }

void start_python_stacks() {
  python::watch_code_objects(runtime.code_type, is_executing);
  ways = ways_for(runtime.layout, std::make_index_sequence<python::kLayoutCount>{});
  const bool tasks = python::asyncio_seen.load(std::memory_order_relaxed);
  python_capture.store(tasks ? ways->capture_with_tasks : ways->capture, std::memory_order_release);
  python::watch_asyncio(follow_tasks_from_now_on);
}

bool python_stacks_ready() {
  return python_capture.load(std::memory_order_acquire) != &capture_nothing;
}

bool is_entry_frame(PythonStackState& state, uint32_t position) {
  PythonFrame& entry = state.stack[position];
  const char* const frame = frame_at(state, position);
  if (entry.code_id == kUnresolvedCode) {
    entry.code_id = resolve_code<StatedLayout>(state, frame, entry.code);
  }
  if (entry.code_id == 0) return false;
  const Layout& layout = runtime.layout;
  // To 3.10 every call of a Python function enters the loop anew.
  if (layout.minor <= 10) return true;
  if (layout.frame_is_entry != kAbsent) {
    return read_field<uint8_t>(frame, static_cast<size_t>(layout.frame_is_entry)) != 0;
  }
  // From 3.12 on the interpreter marks each entry by a frame of its own.
  return position == 0 || is_interpreters_own<StatedLayout>(frame_at(state, position - 1));
}

bool begins_loop(PythonStackState& state, uint32_t position) {
  if (runtime.layout.minor <= 11) return is_entry_frame(state, position);
  const auto is_mark = [&state](uint32_t at) {
    return is_interpreters_own<StatedLayout>(frame_at(state, at));
  };
  // From 3.15 on, a frame that stands for the thread itself is outermost.
  const bool thread_mark =
      position == 0 && runtime.layout.minor >= 14 && state.depth > 1 && is_mark(0) && is_mark(1);
  return (position == 0 || is_mark(position)) && !thread_mark;
}

uintptr_t entry_on_c_stack(PythonStackState& state, uint32_t position) {
  const char* frame = frame_at(state, position);
  if (runtime.layout.minor < 12 || !is_interpreters_own<StatedLayout>(frame)) return 0;
  return reinterpret_cast<uintptr_t>(frame);
}

uint32_t intern_python_frame(PythonStackState& state, uint32_t position, uint32_t parent) {
  if (python::asyncio_seen.load(std::memory_order_relaxed)) {
    parent = on_task(state, position, parent);
  }
  const Activation at = activation_at(state, position);
  PythonFrame entry = state.stack[position];  // a copy: the kept node is of the Python stack alone
  switch (runtime.layout.instruction_form) {
    case InstructionForm::kByteOffset:
      return intern_frame<RuntimeLayout<InstructionForm::kByteOffset>>(state, at, entry, parent);
    case InstructionForm::kUnitOffset:
      return intern_frame<RuntimeLayout<InstructionForm::kUnitOffset>>(state, at, entry, parent);
    case InstructionForm::kPointer:
      return intern_frame<StatedLayout>(state, at, entry, parent);
    case InstructionForm::kThreadPointer:
      return intern_frame<StatedThreadLayout>(state, at, entry, parent);
  }
  return parent;
}

}  // namespace memlens::interposer
