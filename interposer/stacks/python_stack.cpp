#include "interposer/stacks/python_stack.h"

#include <atomic>
#include <cstddef>
#include <cstring>
#include <utility>

#include "interposer/definitions/definitions.h"
#include "interposer/platform/clock.h"
#include "interposer/python/code_table.h"
#include "interposer/python/interpreter_frame.h"
#include "interposer/python/known_layouts.h"
#include "interposer/python/running_task.h"
#include "interposer/python/runtime.h"
#include "interposer/python/thread_of_interpreter.h"

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
using python::instruction_offset_plus_1;
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

// ---- the calling thread's innermost frame

template <typename L>
const void* thread_state_of(PythonStackState& state) {
  if (L::get().minor < 12) return python::thread_state_to_311(state.thread);
  const void* const current = runtime.current_thread_state();
  return current != nullptr ? current : python::released_thread_state();
}

// ---- caches

uint16_t& position_of(PythonStackState& state, const char* frame) {
  const auto hash = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(frame) >> 3) * 0x9E3779B1u;
  static_assert(PythonStackState::kPositions == 1u << 10);
  return state.positions[hash >> 22];
}

// 0 when it cannot be told (recording is off) or is no code object.
uint32_t cached_code_id(PythonStackState& state, uintptr_t code) {
  static_assert(PythonStackState::kCodeEntries == 1u << 9);
  const uint32_t hash = static_cast<uint32_t>(code >> 4) * 0x9E3779B1u;
  PythonStackState::CodeEntry& entry = state.codes[hash >> 23];
  if (entry.code == code && entry.generation == state.generation) return entry.id;
  const auto* object = reinterpret_cast<const void*>(code);
  if (object == nullptr ||
      read_field<const char*>(object, static_cast<size_t>(runtime.layout.objects.type)) !=
          runtime.code_type) {
    return 0;
  }
  const uint32_t id = python::code_id_of(object);
  if (id != 0) entry = {code, state.generation, id};
  return id;
}

// ---- nodes

// 0: one of the interpreter's own, or it cannot be told (recording is off).
template <typename L>
uint32_t resolve_code(PythonStackState& state, const char* frame, uintptr_t code) {
  if (is_interpreters_own<L>(frame)) return 0;
  const uint32_t id = cached_code_id(state, code & L::get().code_mask);
  return id == python::kHiddenCode ? 0 : id;
}

constexpr unsigned kGenerationBits = 16;  // in a key, above the 48 bits of an address

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

// Of a frame: where it is, and what it runs.
struct Activation {
  const char* frame;
  uint64_t instruction;
};

inline const char* frame_at(const PythonStackState& state, uint32_t position) {
  return state.links[position + 1].previous;
}
inline Activation activation_at(const PythonStackState& state, uint32_t position) {
  return {frame_at(state, position), state.links[position].instruction};
}

// What tells a frame's place from all others. An instruction's address does so alone, while its
// code object lives; the code need not be looked up then.
template <typename L>
uint64_t place_key(const PythonStackState& state, const Activation& at, const PythonFrame& entry) {
  if (kInstructionIsPlace<L>) {
    return at.instruction ^ static_cast<uint64_t>(state.generation) << (64 - kGenerationBits);
  }
  return static_cast<uint64_t>(entry.code_id) << 32 |
         instruction_offset_plus_1<L>(at.frame, entry.code, at.instruction);
}

template <typename L>
__attribute__((noinline)) uint32_t intern_new_place(PythonStackState& state, Activation at,
                                                    PythonFrame& entry, uint32_t parent,
                                                    PythonStackState::InternEntry& cached) {
  if (entry.code_id == kUnresolvedCode) {
    entry.code_id = resolve_code<L>(state, at.frame, entry.code);
    if (entry.code_id == 0) return parent;
  }
  const uint32_t node = intern_python_node(
      parent, entry.code_id, instruction_offset_plus_1<L>(at.frame, entry.code, at.instruction));
  if (node != format::kRootNode) cached = {place_key<L>(state, at, entry), parent, node};
  return node;
}

// The node of a frame on top of `parent`; the parent itself for one of the interpreter's own.
template <typename L>
uint32_t intern_frame(PythonStackState& state, Activation at, PythonFrame& entry, uint32_t parent) {
  if (!kInstructionIsPlace<L> && entry.code_id == kUnresolvedCode) {
    entry.code_id = resolve_code<L>(state, at.frame, entry.code);
  }
  if (is_interpreters_own<L>(at.frame)) entry.code_id = 0;
  if (entry.code_id == 0) return entry.node = parent;
  const uint64_t key = place_key<L>(state, at, entry);
  const uint64_t hash = key * 0x9E3779B97F4A7C15u + parent * 0xC2B2AE3D27D4EB4Fu;
  static_assert(PythonStackState::kInternEntries == 1u << 12);
  PythonStackState::InternEntry& cached = state.interned[hash >> (64 - 12)];
  if (__builtin_expect(cached.key == key && cached.parent == parent && cached.node != 0, 1)) {
    return entry.node = cached.node;
  }
  return entry.node = intern_new_place<L>(state, at, entry, parent, cached);
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

// ---- tasks
//
// A task is found when its coroutine's frame is new on the kept stack. As long as the frames out to
// there stay what they were, one look at the thread or at the handle tells that it is still the
// same task by the same name. Both are compiled in once asyncio has been seen, and not before.

// Of the calling thread, where it tells the task.
const void* thread_state_for_tasks(PythonStackState& state) {
  return python::thread_names_its_task(runtime.layout) ? thread_state_of<StatedLayout>(state)
                                                       : nullptr;
}

python::RunningTask find_by_caller(PythonStackState& state, uint32_t position,
                                   const char* coroutine) {
  while (position-- > 0) {
    PythonFrame& caller = state.stack[position];
    const char* const frame = frame_at(state, position);
    if (is_interpreters_own<StatedLayout>(frame)) continue;
    // Most coroutines are awaited by another.
    if (python::generator_of(runtime.layout, frame) != nullptr) return {};
    if (caller.code_id == kUnresolvedCode) {
      caller.code_id = resolve_code<StatedLayout>(state, frame, caller.code);
    }
    return python::find_in_handle(coroutine, frame, caller.code_id);
  }
  return {};
}

__attribute__((noinline)) TaskOnStack* find_new_task(PythonStackState& state, uint32_t position,
                                                     const char* coroutine) {
  if (state.task_count == PythonStackState::kTasks) return nullptr;
  python::RunningTask task;
  if (python::thread_names_its_task(runtime.layout)) {
    const void* const thread_state = thread_state_for_tasks(state);
    if (thread_state == nullptr) return nullptr;
    // A task has one coroutine; further ones are awaited.
    if (state.task_count > 0 && state.tasks[state.task_count - 1].task.object ==
                                    python::task_of_thread(runtime.layout, thread_state)) {
      return nullptr;
    }
    task = python::find_in_thread(coroutine, thread_state);
  } else {
    task = find_by_caller(state, position, coroutine);
  }
  if (task.object == nullptr) return nullptr;
  TaskOnStack& found = state.tasks[state.task_count++];
  found = {task, position, python::name_of(task), format::kRootNode, 0};
  return &found;
}

TaskOnStack* find_task(PythonStackState& state, uint32_t position) {
  for (uint32_t i = state.task_count; i-- > 0;) {
    if (state.tasks[i].position == position) return &state.tasks[i];
  }
  const char* const coroutine = python::generator_of(runtime.layout, frame_at(state, position));
  return coroutine == nullptr ? nullptr : find_new_task(state, position, coroutine);
}

// What the frame at `position` stands on: `parent`, or the task whose coroutine it is.
uint32_t on_task(PythonStackState& state, uint32_t position, uint32_t parent) {
  TaskOnStack* const found = find_task(state, position);
  if (__builtin_expect(found == nullptr, 1)) return parent;
  if (found->node != 0 && found->parent == parent) return found->node;
  PythonFrame& entry = state.stack[position];
  if (entry.code_id == kUnresolvedCode) {
    entry.code_id = resolve_code<StatedLayout>(state, frame_at(state, position), entry.code);
  }
  if (entry.code_id == 0) return parent;
  const uint32_t node = intern_task_node(parent, entry.code_id, found->name);
  if (node == format::kRootNode) return parent;
  found->parent = parent;
  return found->node = node;
}

// The innermost one is: those further out are suspended meanwhile.
template <typename L>
bool tasks_are_as_before(const PythonStackState& state, const void* thread_state) {
  if (state.task_count == 0) return true;
  const TaskOnStack& kept = state.tasks[state.task_count - 1];
  if (!python::is_still_running(L::get(), kept.task, thread_state)) return false;
  return !state.may_miss_tasks || python::name_of(kept.task) == kept.name;
}

// Forgets the tasks of frames that are not what they were, and lowers `unchanged` to the frame of
// one that is not.
template <typename L>
void follow_tasks(PythonStackState& state, const void* thread_state, uint32_t& unchanged) {
  const auto drop = [&state, &unchanged] {
    while (state.task_count > 0 && state.tasks[state.task_count - 1].position >= unchanged) {
      --state.task_count;
    }
  };
  drop();
  if (tasks_are_as_before<L>(state, thread_state)) return;
  unchanged = state.tasks[state.task_count - 1].position;
  drop();
}

// ---- deep stacks
//
// How many of the kept frames, counted from the innermost, can be other than they were.
//
// A frame that runs again, or is called anew, has first seen every frame further in return, and
// those that are there now were called since. Generators and coroutines leave and come back one
// frame at a time as well; a switch of the whole stack (greenlets, subinterpreters) is a change of
// the innermost frame. So the time that has passed bounds how far out a change can be.
//
// Comparing all 400 frames of bench/workloads/recursion.py, each on a cache line of its own, took
// 430 ns an allocation. Reading the counter takes 9 ns, as much as 12 frames do.
constexpr uint32_t kWorthTheClock = 64;  // frames

// What a frame takes to go and come again, at least: less than a third of the shortest seen on a
// processor of 3 GHz, over calls, recursion, `yield from` and `await` of 20 to 900 frames, with the
// JIT and without: 40 ns to 3.10, 27 in 3.11, 16 in 3.12, 10 from 3.13 on. Of a build with
// MEMLENS_CHECK_DEEP_STACKS, where it is ever too long, the program ends. 0: not timed.
constexpr uint32_t least_ns_per_frame(uint16_t minor) {
  if (minor <= 10) return 10;
  if (minor == 11) return 6;
  if (minor == 12) return 4;
  return minor <= 15 ? 3 : 0;
}

template <typename L>
__attribute__((noinline)) uint32_t frames_to_compare(PythonStackState& state) {
  constexpr uint32_t kCallsInFlight = 8;  // the processor may read the counter ahead of its turn
  constexpr uint64_t kLongAgo = 1 << 20;  // ticks
  const uint32_t ns_per_frame = least_ns_per_frame(L::get().minor);
  if (ns_per_frame == 0 || state.ns_per_tick == 0) return kMaxPythonFrames;
  const uint64_t now = platform::read_ticks();
  const uint64_t passed = now - state.walked_at;
  state.walked_at = now;
  if (passed >= kLongAgo) return kMaxPythonFrames;
  return static_cast<uint32_t>(passed * state.ns_per_tick >> 32) / ns_per_frame + kCallsInFlight;
}

// How far out the kept frames are to be compared, counted from the innermost.
template <typename L>
inline uint32_t reach_of(PythonStackState& state) {
  if (__builtin_expect(state.depth <= kWorthTheClock, 1)) return kMaxPythonFrames;
  return frames_to_compare<L>(state);
}

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
  const void* const thread_state = thread_state_of<L>(state);
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
  const void* const thread_state = thread_state_of<L>(state);
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
