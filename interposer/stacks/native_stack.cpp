#include "interposer/stacks/native_stack.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "interposer/definitions/definitions.h"
#include "interposer/loader/native_code_generation.h"
#include "interposer/stacks/hybrid_interpreter.h"
#include "interposer/stacks/native_caches.h"
#include "interposer/stacks/native_nodes.h"
#include "interposer/stacks/native_step.h"
#include "interposer/stacks/own_code.h"
#include "interposer/stacks/processor.h"

namespace memlens::interposer {
namespace {

using unwind::load_word;
using unwind::Position;

// Whether the step from `inner` still leads to `outer`.
inline bool leads_to(const NativeFrame& inner, const NativeFrame& outer) {
  if (load_word(unwind::return_slot_of(outer.stack_pointer)) != outer.pc) return false;
  constexpr uint8_t kMore = NativeFrame::kNotComparable | NativeFrame::kChecksSlot;
  if ((inner.flags & kMore) == 0) return true;
  return !inner.has(NativeFrame::kNotComparable) &&
         load_word(inner.frame_slot) == outer.frame_pointer;
}

// Makes `from` the kept frame at `index`, with the flags that depend on what is further out, and
// without a node.
inline void keep_frame(NativeStackState& state, uint32_t index, const NativeFrame& from) {
  NativeFrame frame = from;
  frame.path = 0;
  frame.node = format::kRootNode;
  frame.inherit_need(index > 0 && state.frames[index - 1].has(NativeFrame::kNeedsFrame));
  state.frames[index] = frame;
  const uint32_t outer_loops = index > 0 ? state.loops_up_to[index - 1] : 0;
  state.loops_up_to[index] = static_cast<uint16_t>(outer_loops + frame.interpreter);
}

// Lists what has to be compared for the kept frames up to `last`.
inline void list_checks(NativeStackState& state, uint32_t last) {
  for (uint32_t i = state.listed; i <= last; ++i) {
    const NativeFrame& frame = state.frames[i];
    uint32_t end = i > 0 ? state.check_ends[i - 1] : 0;
    uint32_t unsettled = end & NativeStackState::kUnsettled;
    end -= unsettled;
    if (frame.has(NativeFrame::kNotComparable)) unsettled = NativeStackState::kUnsettled;
    if (i > 0) {
      const NativeFrame& outer = state.frames[i - 1];
      state.checks[end++] = {unwind::return_slot_of(outer.stack_pointer), outer.pc};
      if (frame.has(NativeFrame::kChecksSlot)) {
        state.checks[end++] = {frame.frame_slot, outer.frame_pointer};
      }
    }
    state.check_ends[i] = end | unsettled;
    state.listed = i + 1;
  }
}

// Whether the kept frames up to `last` are what they were, `last` being where it was.
inline bool is_settled(NativeStackState& state, uint32_t last) {
  list_checks(state, last);
  const StackCheck* check = state.checks;
  const uint32_t count = state.check_ends[last] & ~NativeStackState::kUnsettled;
  const StackCheck* const end = check + count;
  uintptr_t difference = state.check_ends[last] - count;
  for (; end - check >= 4; check += 4) {
    difference |= (load_word(check[0].address) ^ check[0].value) |
                  (load_word(check[1].address) ^ check[1].value) |
                  (load_word(check[2].address) ^ check[2].value) |
                  (load_word(check[3].address) ^ check[3].value);
  }
  for (; check != end; ++check) difference |= load_word(check->address) ^ check->value;
  return difference == 0;
}

inline bool is_at(const NativeFrame& frame, const Position& position) {
  return frame.stack_pointer == position.stack_pointer && frame.pc == position.pc &&
         frame.has(NativeFrame::kExact) == position.exact &&
         (!frame.has(NativeFrame::kNeedsFrame) || frame.frame_pointer == position.frame_pointer);
}

// The index of the kept frame that `run` has led to, or -1. `candidate`: the innermost kept frame.
inline int64_t find_base(const NativeStackState& state, FrameRun& run, int64_t candidate,
                         const Position& position) {
  if (run.base <= candidate && is_at(state.frames[run.base], position)) return run.base;
  while (candidate >= 0 && state.frames[candidate].stack_pointer < position.stack_pointer) {
    --candidate;
  }
  if (candidate < 0 || !is_at(state.frames[candidate], position)) return -1;
  run.base = static_cast<uint32_t>(candidate);
  return candidate;
}

// The way of most events: one or a few runs known from before lead to a kept frame, and from there
// on nothing has changed. Returns how many frames are kept, with those new in place and the
// innermost run for state.top; or 0.
inline uint32_t follow_runs(NativeStackState& state, int64_t candidate, Position position) {
  constexpr uint32_t kMostRuns = 3;
  constexpr uint32_t kMostNewFrames = kMostRuns * FrameRun::kMaxFrames;
  if (candidate + kMostNewFrames >= kMaxNativeFrames) return 0;
  const auto innermost = static_cast<uint32_t>(candidate);
  if (state.top == nullptr && is_at(state.frames[innermost], position) &&
      is_settled(state, innermost)) {
    return state.depth = innermost + 1;
  }
  FrameRun* runs[kMostRuns];
  uintptr_t outer_frame_pointers[kMostRuns];
  int64_t base = -1;
  uint32_t count = 0;
  do {
    FrameRun* run = state.runs.follow(state.memory, position, state.rules_generation);
    if (run == nullptr) break;
    runs[count] = run;
    outer_frame_pointers[count++] = position.frame_pointer;
    base = find_base(state, *run, candidate, position);
  } while (base < 0 && count < kMostRuns);
  if (base < 0 || !is_settled(state, static_cast<uint32_t>(base))) {
    state.runs.failed();
    return 0;
  }
  state.runs.succeeded();
  const auto kept = static_cast<uint32_t>(base) + 1;
  uint32_t depth = kept;
  for (uint32_t i = count; i-- > 0;) {
    // Of the innermost, only an evaluation loop.
    const uint32_t new_frames = i == 0 ? runs[0]->loops : runs[i]->count;
    for (uint32_t j = 0; j < new_frames; ++j) {
      keep_frame(state, depth++, runs[i]->frame(j, outer_frame_pointers[i]));
    }
  }
  if (state.listed > kept) state.listed = kept;
  state.top = runs[0]->count > runs[0]->loops ? runs[0] : nullptr;
  state.depth = depth;
  return kept;
}

// The frames of one climb, innermost first, written from the end of the state's buffer downward: a
// program's stack (a signal stack of 8 kB) is no place for them.
class FreshFrames {
 public:
  explicit FreshFrames(NativeStackState& state) : state_(state) {}

  // nullptr: the buffer is full. `kept`: frames at its start that must not be overwritten.
  NativeFrame* add(int64_t kept) {
    if (static_cast<int64_t>(count_) + kept + 1 >= kMaxNativeFrames) return nullptr;
    return &state_.frames[kMaxNativeFrames - ++count_];
  }

  // Whether frames up to `last` can be added, last first, without overwriting one yet to be read.
  bool has_room_to_move(int64_t last) const { return count_ + last + 1 < kMaxNativeFrames; }

  uint32_t count() const { return count_; }
  void drop_all_but_innermost(uint32_t count) { count_ = count; }

  // The outermost is no frame after all, and where it was another may be next time.
  void end_inside() {
    if (count_ < 2) return;
    NativeFrame& outermost = state_.frames[kMaxNativeFrames - --count_];
    outermost.flags |= NativeFrame::kRestoresFrame | NativeFrame::kNotComparable;
  }

  // Behind the kept frames, outermost first.
  void append_to(uint32_t kept) {
    if (state_.listed > kept) state_.listed = kept;
    const uint32_t start = kMaxNativeFrames - count_;
    for (uint32_t i = 0; i < count_; ++i) keep_frame(state_, kept + i, state_.frames[start + i]);
    state_.depth = kept + count_;
  }

  // The outermost frame was left to `outer`.
  __attribute__((noinline)) void remember_runs(uintptr_t outer) {
    const NativeFrame* const end = state_.frames + kMaxNativeFrames;
    uint32_t first = 0;
    while (first < count_) {
      uint32_t behind = first;
      while (behind < count_ && behind - first < FrameRun::kMaxFrames &&
             can_be_in_run(*(end - 1 - behind))) {
        // What is on top of an evaluation loop is on Python frames.
        if ((end - 1 - behind++)->interpreter != 0) break;
      }
      if (behind == first) {
        ++first;
        continue;
      }
      const uintptr_t run_outer = behind < count_ ? (end - 1 - behind)->stack_pointer : outer;
      state_.runs.remember(end - behind, behind - first, run_outer, state_.rules_generation);
      first = behind;
    }
  }

 private:
  static bool can_be_in_run(const NativeFrame& frame) {
    constexpr uint8_t kNever = NativeFrame::kNotComparable | NativeFrame::kExact |
                               NativeFrame::kOutside | NativeFrame::kCut;
    return frame.by_rule != 0 && (frame.flags & kNever) == 0;
  }

  NativeStackState& state_;
  uint32_t count_ = 0;
};

// False: no memory for the process's caches.
bool drop_stale_caches(NativeStackState& state) {
  const uint32_t rules = native_code_generation.load(std::memory_order_acquire);
  if (state.rules_generation != rules) {
    if (!make_native_caches()) return false;
    state.rules_generation = rules;
    state.depth = 0;
    state.outer_frames = 0;
    state.objects = {};
  }
  const uint32_t windows = unwind::stack_windows_generation.load(std::memory_order_relaxed);
  if (state.windows_generation != windows) {
    state.windows_generation = windows;
    state.depth = 0;
    state.outer_frames = 0;
    state.memory.forget();
    state.code_memory = {};
  }
  return true;
}

// The first frame that is not ours. Our own code keeps frame pointers, so its frames are a chain.
Position program_position(const void* frame_address) {
  auto frame = reinterpret_cast<uintptr_t>(frame_address);
  for (;;) {
    const uintptr_t pc = load_word(unwind::return_slot_of_frame(frame));
    const uintptr_t outer = load_word(unwind::outer_frame_slot_of(frame));
    if (!is_own_code(pc - 1)) return {pc, unwind::outer_stack_of_frame(frame), outer, false};
    frame = outer;
  }
}

// One climb from where the program is to a frame that is kept, or to the end of the stack.
//
// Of a deep stack only the innermost frames are kept, and only those shown are compared. How many
// frames are further out was counted once and is taken as still there, for where the innermost ones
// are what they were: deep recursion costs what its innermost frames do.
class Climb {
 public:
  Climb(NativeStackState& state, const Position& position, int64_t candidate, uint32_t outer_frames)
      : state_(state),
        fresh_(state),
        position_(position),
        candidate_(candidate),
        outer_frames_(outer_frames) {}

  // Returns how many frames are kept.
  uint32_t run(uint32_t lost_windows, bool remember_runs) {
    bool deep = false;
    for (bool ended = false; !ended;) {
      if (__builtin_expect(state_.memory.lost_windows() != lost_windows, 0)) {
        lost_windows = state_.memory.lost_windows();
        forget_kept();  // they may lie in memory that is gone
      }
      find_candidate();
      if (candidate_ >= 0 && is_at(state_.frames[candidate_], position_) && take_kept(deep)) break;
      NativeFrame* frame = fresh_.add(candidate_ + 1);
      if (__builtin_expect(frame == nullptr, 0)) {
        if (make_room()) continue;
        keep_innermost();
        deep = true;
        break;
      }
      const Stepped stepped = step_out(*frame);
      ended = stepped != Stepped::kOut;
      if (ended) forget_kept();
      if (__builtin_expect(stepped == Stepped::kBeyondEnd, 0)) fresh_.end_inside();
    }
    const auto kept = static_cast<uint32_t>(candidate_ + 1);
    if (remember_runs && !deep) fresh_.remember_runs(position_.stack_pointer);
    fresh_.append_to(kept);
    state_.outer_frames = deep ? outer_frames_ : 0;
    return kept;
  }

 private:
  static constexpr int64_t kShown = kInnermostFramesOfDeepNativeStack;
  static constexpr uint32_t kKeptOfDeepStack = kMaxNativeFrames / 2;

  void forget_kept() {
    candidate_ = -1;
    outer_frames_ = 0;
  }

  void find_candidate() {
    while (candidate_ >= 0 && state_.frames[candidate_].stack_pointer < position_.stack_pointer) {
      --candidate_;
    }
    if (candidate_ < 0) outer_frames_ = 0;
  }

  // The kept frame at candidate_ is where we are. True when all further out is as it was; otherwise
  // position_ is where a step has to be made again.
  bool take_kept(bool& deep) {
    NativeFrame* const frames = state_.frames;
    // All at once, which is most often the answer; else one by one, to see where it changed.
    if (__builtin_expect(outer_frames_ == 0, 1) &&
        is_settled(state_, static_cast<uint32_t>(candidate_))) {
      state_.frames_compared += static_cast<uint64_t>(candidate_);
      return true;
    }
    const int64_t lowest =
        outer_frames_ == 0 ? 0 : candidate_ - std::max(int64_t{0}, kShown - fresh_.count());
    int64_t at = candidate_;
    while (at > 0 && at > lowest && leads_to(frames[at], frames[at - 1])) --at;
    state_.frames_compared += static_cast<uint64_t>(candidate_ - at);
    if (outer_frames_ != 0 && (at == 0 || at == lowest)) {
      deep = at == lowest && outer_frames_ + candidate_ + 1 + fresh_.count() >= kMaxNativeFrames;
      // Otherwise it is deep no longer, or what is shown reaches further out than what is kept.
      if (!deep) forget_kept();
      return deep;
    }
    if (at == 0 && !frames[0].has(NativeFrame::kNotComparable)) return true;
    // The step out of `at` has to be made again; frames inside it are what they were.
    if (!fresh_.has_room_to_move(candidate_)) {
      const int64_t before = candidate_;
      make_room();
      if (candidate_ < 0) return false;
      at -= before - candidate_;
      if (at < 0) {
        forget_kept();
        return false;
      }
    }
    for (int64_t i = candidate_; i > at; --i) {
      NativeFrame* copy = fresh_.add(at);
      *copy = frames[i];
      copy->frame_pointer = position_.frame_pointer;
      if (copy->has(NativeFrame::kRestoresFrame)) {
        position_.frame_pointer = load_word(copy->frame_slot);
      }
    }
    position_.pc = frames[at].pc;
    position_.stack_pointer = frames[at].stack_pointer;
    position_.exact = frames[at].has(NativeFrame::kExact);
    candidate_ = at - 1;
    return false;
  }

  Stepped step_out(NativeFrame& frame) {
    frame = {.pc = position_.pc,
             .stack_pointer = position_.stack_pointer,
             .frame_pointer = position_.frame_pointer,
             .frame_slot = 0,
             .path = 0,
             .node = format::kRootNode,
             .flags = static_cast<uint8_t>(position_.exact ? NativeFrame::kExact : 0),
             .interpreter = 0,
             .tagged = 0,
             .by_rule = 0};
    ++state_.frames_stepped;
    return step(state_, position_, frame);
  }

  // Gives up kept frames for new ones. False when there are none.
  bool make_room() {
    if (candidate_ < 0) return false;
    const auto kept = static_cast<uint32_t>(candidate_ + 1);
    if (outer_frames_ == 0 || kept <= kKeptOfDeepStack) {
      forget_kept();
      return true;
    }
    const uint32_t dropped = kept - kKeptOfDeepStack / 2;
    std::memmove(state_.frames, state_.frames + dropped, (kept - dropped) * sizeof(NativeFrame));
    outer_frames_ += dropped;
    candidate_ -= dropped;
    state_.listed = 0;
    return true;
  }

  // The buffer is full of new frames, and the stack goes on.
  __attribute__((noinline, cold)) void keep_innermost() {
    constexpr uint32_t kMostCounted = 1u << 20;
    uint32_t further_out = 1;
    NativeFrame frame;
    while (further_out < kMostCounted && step_out(frame) == Stepped::kOut) ++further_out;
    outer_frames_ = fresh_.count() - kKeptOfDeepStack + further_out;
    fresh_.drop_all_but_innermost(kKeptOfDeepStack);
  }

  NativeStackState& state_;
  FreshFrames fresh_;
  Position position_;
  int64_t candidate_;  // the innermost kept frame that may be reached
  uint32_t outer_frames_;
};

}  // namespace

uint32_t update_native_frames(NativeStackState& state, const void* frame_address, bool with_runs,
                              bool& too_deep) {
  too_deep = false;
  if (__builtin_expect(!drop_stale_caches(state), 0)) {
    state.depth = 0;
    state.top = nullptr;
    return 0;
  }
  if (__builtin_expect(!own_code_known, 0)) find_own_code(state.objects);
  const Position position = program_position(frame_address);

  const uint32_t lost_windows = state.memory.lost_windows();
  const bool readable = state.memory.enter(position.stack_pointer);
  // Nothing is kept for whoever comes when this climb is left by a jump.
  int64_t candidate = static_cast<int64_t>(state.depth) - 1;
  uint32_t outer_frames = state.outer_frames;
  state.depth = 0;
  state.outer_frames = 0;
  bool tries_runs = false;
  if (with_runs && readable && candidate >= 0 && outer_frames == 0 &&
      state.memory.lost_windows() == lost_windows) {
    tries_runs = state.runs.worth_trying();
    const uint32_t kept = tries_runs ? follow_runs(state, candidate, position) : 0;
    if (kept != 0) return kept;
  }
  state.top = nullptr;
  if (!readable) return 0;
  state.believed_frames = {};
  const uint32_t kept =
      Climb(state, position, candidate, outer_frames).run(lost_windows, tries_runs);
  too_deep = state.outer_frames != 0;
  return kept;
}

void keep_top_frames(NativeStackState& state) {
  if (state.top == nullptr) return;
  for (uint32_t i = state.top->loops; i < state.top->count && state.depth < kMaxNativeFrames; ++i) {
    keep_frame(state, state.depth++, state.top->frames[i]);
  }
  state.top = nullptr;
}

__attribute__((noinline)) uint32_t capture_native_stack(NativeStackState& state, bool with_runs) {
  bool too_deep = false;
  const uint32_t kept =
      update_native_frames(state, __builtin_frame_address(0), with_runs, too_deep);
  if (__builtin_expect(too_deep, 0)) {
    const uint32_t label = intern_label_node(format::kRootNode, kDeepNativeStackLabel);
    return node_of_deep_frames(state, label, state.depth - kInnermostFramesOfDeepNativeStack);
  }
  if (state.top == nullptr) return node_of_kept_frames(state, kept);
  const uint32_t depth = state.depth;
  return intern_native_run(state, node_of_frames(state, depth), *state.top,
                           state.frames[depth - 1]);
}

}  // namespace memlens::interposer
