#include "interposer/stacks/native_stack.h"

#include <cerrno>

#include "interposer/definitions.h"
#include "interposer/stacks/hybrid_interpreter.h"
#include "interposer/stacks/native_nodes.h"
#include "interposer/stacks/own_code.h"
#include "interposer/stacks/unwind_registers_x86_64.h"
#include "interposer/stacks/unwind_rule_cache.h"
#include "interposer/stacks/unwind_step_x86_64.h"

namespace memlens::interposer {

std::atomic<uint32_t> unwind::rules_generation{0};

void unwind::forget_rules() { rules_generation.fetch_add(1, std::memory_order_release); }

namespace {

using unwind::CfiResult;
using unwind::CodeObject;
using unwind::load_word;
using unwind::Position;
using unwind::Registers;
using unwind::RuleKind;
using unwind::StepOutcome;
using unwind::StepTrace;
using unwind::UnwindRow;
using unwind::UnwindRule;

constexpr uintptr_t kWord = sizeof(uintptr_t);

unwind::RuleCache rule_cache;

__attribute__((noinline, cold)) UnwindRule compile_rule_at(NativeStackState& state,
                                                           uintptr_t address) {
  const int saved_errno = errno;
  const CodeObject* object = unwind::find_object(address, state.objects);
  if (object == nullptr) {
    // Not kept: a library may be loaded there, or other code generated.
    errno = saved_errno;
    return UnwindRule::of(RuleKind::kOutsideModules);
  }
  UnwindRow row;
  bool signal_frame = false;
  UnwindRule rule = UnwindRule::of(RuleKind::kNoInformation);
  if (unwind::find_unwind_row(object->section, address, state.scratch, row, signal_frame) ==
      CfiResult::kFound) {
    rule = unwind::compile_rule(row, signal_frame);
  }
  rule.tagged = object->place_tag != 0;
  rule.interpreter = is_evaluation_loop(address);
  ++state.rules_compiled;
  if (rule.kind() == RuleKind::kNeedsRegisters) ++state.rules_complex;
  rule_cache.insert(address, state.rules_generation, rule);
  errno = saved_errno;
  return rule;
}

inline UnwindRule rule_at(NativeStackState& state, uintptr_t address) {
  UnwindRule rule;
  if (__builtin_expect(rule_cache.find(address, state.rules_generation, rule), 1)) return rule;
  return compile_rule_at(state, address);
}

// ---- steps no rule can make

// A frame that starts with the pushed frame pointer, as compilers make it when asked. Believed only
// when it leads, at once or over further such frames, to an instruction behind a call. The frames
// on that way are believed along with it: a stack of many is looked at once, not once for each.
bool leads_to_call(NativeStackState& state, const Position& position) {
  constexpr uintptr_t kLargestFrame = 1u << 20;
  constexpr int kMostFramesAhead = 64;
  uintptr_t inner = position.stack_pointer, outer = position.frame_pointer;
  for (int ahead = 0; ahead < kMostFramesAhead; ++ahead) {
    if (outer % kWord != 0 || outer < inner || outer - inner > kLargestFrame ||
        !state.memory.readable(outer + kWord)) {
      return false;
    }
    if (unwind::is_return_address(load_word(outer + kWord), state.objects)) {
      state.believed_frames = {position.frame_pointer, outer};
      return true;
    }
    inner = outer + 2 * kWord;
    outer = load_word(outer);
  }
  return false;
}

bool step_by_frame_pointer(NativeStackState& state, Position& position, StepTrace& trace) {
  trace = StepTrace{};
  const uintptr_t frame = position.frame_pointer;
  const bool believed = frame != 0 && frame == state.believed_frames.next;
  if (!believed && !leads_to_call(state, position)) return false;
  state.believed_frames.next = frame == state.believed_frames.last ? 0 : load_word(frame);
  trace.used_frame = true;
  trace.frame_slot = frame;
  position.pc = load_word(frame + kWord);
  position.frame_pointer = load_word(frame);
  position.stack_pointer = frame + 2 * kWord;
  position.exact = false;
  return true;
}

bool step_registers_once(NativeStackState& state, Registers& registers, bool& exact) {
  const uintptr_t pc = registers.values[Registers::kRip];
  const uintptr_t address = exact ? pc : pc - 1;
  UnwindRow row;
  bool signal_frame = false;
  const CodeObject* object = unwind::find_object(address, state.objects);
  if (object != nullptr && unwind::find_unwind_row(object->section, address, state.scratch, row,
                                                   signal_frame) == CfiResult::kFound) {
    if (!unwind::step_registers(row, state.memory, registers)) return false;
    exact = signal_frame;
    return !signal_frame || state.memory.enter(registers.values[Registers::kRsp]);
  }
  Position position{pc, registers.values[Registers::kRsp], registers.values[Registers::kRbp],
                    exact};
  StepTrace trace;
  if (!step_by_frame_pointer(state, position, trace)) return false;
  registers.set(Registers::kRip, position.pc);
  registers.set(Registers::kRsp, position.stack_pointer);
  registers.set(Registers::kRbp, position.frame_pointer);
  exact = false;
  return true;
}

// Makes a step that needs registers by going all the way again from here with all of them.
__attribute__((noinline, cold)) bool step_with_registers(NativeStackState& state,
                                                         Position& position) {
  const int saved_errno = errno;
  Registers registers{};
  unwind::memlens_read_registers(&registers);
  bool exact = false, stepped = state.memory.enter(registers.values[Registers::kRsp]);
  for (uint32_t count = 0; stepped && count < kMaxNativeFrames; ++count) {
    const bool there = registers.values[Registers::kRip] == position.pc &&
                       registers.values[Registers::kRsp] == position.stack_pointer;
    stepped = step_registers_once(state, registers, exact);
    if (there) break;
  }
  errno = saved_errno;
  if (!stepped || registers.values[Registers::kRip] == 0) return false;
  position.pc = registers.values[Registers::kRip];
  position.stack_pointer = registers.values[Registers::kRsp];
  registers.get(Registers::kRbp, position.frame_pointer);
  position.exact = exact;
  return true;
}

// ---- one step of the climb

// Steps out of `position`, noting in `frame` what the step depends on. False at the stack's end.
bool step(NativeStackState& state, Position& position, NativeFrame& frame) {
  const UnwindRule rule = rule_at(state, position.code_address());
  StepTrace trace;
  frame.interpreter = rule.interpreter;
  frame.tagged = rule.tagged;
  StepOutcome outcome = unwind::step_by_rule(rule, state.memory, position, trace);
  frame.by_rule = outcome == StepOutcome::kStepped;
  if (__builtin_expect(outcome == StepOutcome::kNotByRule, 0)) {
    bool stepped;
    if (rule.kind() == RuleKind::kNeedsRegisters) {
      trace = {.frame_slot = 0, .used_frame = false, .not_comparable = true};
      stepped = step_with_registers(state, position);
    } else {
      if (rule.kind() == RuleKind::kOutsideModules) frame.flags |= NativeFrame::kOutside;
      // The ABI's mark of the outermost frame: the loader's entry point has no description.
      if (rule.kind() == RuleKind::kNoInformation && position.frame_pointer == 0) {
        frame.flags |= NativeFrame::kUsesFrame;
        return false;
      }
      stepped = step_by_frame_pointer(state, position, trace);
    }
    outcome = stepped ? StepOutcome::kStepped : StepOutcome::kUnreadable;
  }
  frame.frame_slot = trace.frame_slot;
  if (trace.used_frame) frame.flags |= NativeFrame::kUsesFrame;
  if (trace.frame_slot != 0) frame.flags |= NativeFrame::kRestoresFrame;
  if (trace.not_comparable) frame.flags |= NativeFrame::kNotComparable;
  if (__builtin_expect(outcome == StepOutcome::kStepped, 1)) return true;
  // The end depends on nothing further out; a cut may look different next time.
  frame.flags |= NativeFrame::kRestoresFrame;
  if (outcome != StepOutcome::kOutermost) {
    frame.flags |= NativeFrame::kCut | NativeFrame::kNotComparable;
  }
  return false;
}

// Whether the step from `inner` still leads to `outer`.
inline bool leads_to(const NativeFrame& inner, const NativeFrame& outer) {
  if (load_word(outer.stack_pointer - kWord) != outer.pc) return false;
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
      state.checks[end++] = {outer.stack_pointer - kWord, outer.pc};
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

void drop_stale_caches(NativeStackState& state) {
  const uint32_t rules = unwind::rules_generation.load(std::memory_order_acquire);
  if (state.rules_generation != rules) {
    state.rules_generation = rules;
    state.depth = 0;
    state.objects = {};
  }
  const uint32_t windows = unwind::stack_windows_generation.load(std::memory_order_relaxed);
  if (state.windows_generation != windows) {
    state.windows_generation = windows;
    state.depth = 0;
    state.memory.forget();
  }
}

// The first frame that is not ours. Our own code keeps frame pointers, so its frames are a chain.
Position program_position(const void* frame_address) {
  auto frame = reinterpret_cast<uintptr_t>(frame_address);
  for (;;) {
    const uintptr_t pc = load_word(frame + kWord), outer = load_word(frame);
    if (!is_own_code(pc - 1)) return {pc, frame + 2 * kWord, outer, false};
    frame = outer;
  }
}

}  // namespace

uint32_t update_native_frames(NativeStackState& state, const void* frame_address, bool with_runs,
                              bool& too_deep) {
  too_deep = false;
  drop_stale_caches(state);
  if (__builtin_expect(!own_code_known, 0)) find_own_code(state.objects);
  Position position = program_position(frame_address);

  NativeFrame* const frames = state.frames;
  uint32_t lost_windows = state.memory.lost_windows();
  const bool readable = state.memory.enter(position.stack_pointer);
  // Nothing is kept for whoever comes when this climb is left by a jump.
  int64_t candidate = static_cast<int64_t>(state.depth) - 1;
  state.depth = 0;
  bool tries_runs = false;
  if (with_runs && readable && candidate >= 0 && state.memory.lost_windows() == lost_windows) {
    tries_runs = state.runs.worth_trying();
    const uint32_t kept = tries_runs ? follow_runs(state, candidate, position) : 0;
    if (kept != 0) return kept;
  }
  state.top = nullptr;
  if (!readable) return 0;
  state.believed_frames = {};

  FreshFrames fresh(state);
  for (;;) {
    if (__builtin_expect(state.memory.lost_windows() != lost_windows, 0)) {
      lost_windows = state.memory.lost_windows();
      candidate = -1;  // kept frames may lie in memory that is gone
    }
    while (candidate >= 0 && frames[candidate].stack_pointer < position.stack_pointer) --candidate;
    if (candidate >= 0) {
      const NativeFrame& known = frames[candidate];
      if (is_at(known, position)) {
        int64_t at = candidate;
        while (at > 0 && leads_to(frames[at], frames[at - 1])) --at;
        state.frames_compared += static_cast<uint64_t>(candidate - at);
        if (at == 0 && !frames[0].has(NativeFrame::kNotComparable)) break;
        // The step out of `at` has to be made again; frames inside it are what they were.
        too_deep = !fresh.has_room_to_move(candidate);
        for (int64_t i = candidate; i > at && !too_deep; --i) {
          NativeFrame* copy = fresh.add(at);
          *copy = frames[i];
          copy->frame_pointer = position.frame_pointer;
          if (copy->has(NativeFrame::kRestoresFrame)) {
            position.frame_pointer = load_word(copy->frame_slot);
          }
        }
        position.pc = frames[at].pc;
        position.stack_pointer = frames[at].stack_pointer;
        position.exact = frames[at].has(NativeFrame::kExact);
        candidate = at - 1;
      }
    }
    NativeFrame* frame = too_deep ? nullptr : fresh.add(candidate + 1);
    if (__builtin_expect(frame == nullptr, 0)) {
      too_deep = true;
      candidate = -1;
      break;
    }
    *frame = {.pc = position.pc,
              .stack_pointer = position.stack_pointer,
              .frame_pointer = position.frame_pointer,
              .frame_slot = 0,
              .path = 0,
              .node = format::kRootNode,
              .flags = static_cast<uint8_t>(position.exact ? NativeFrame::kExact : 0),
              .interpreter = 0,
              .tagged = 0,
              .by_rule = 0};
    ++state.frames_stepped;
    if (!step(state, position, *frame)) {
      candidate = -1;
      break;
    }
  }
  const auto kept = static_cast<uint32_t>(candidate + 1);
  if (tries_runs && !too_deep) fresh.remember_runs(position.stack_pointer);
  fresh.append_to(kept);
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
    NativeFrame* const frames = state.frames;
    const uint32_t depth = state.depth;
    state.depth = 0;
    const uint32_t first =
        depth > kInnermostFramesOfDeepNativeStack ? depth - kInnermostFramesOfDeepNativeStack : 0;
    uint32_t node = intern_label_node(format::kRootNode, kDeepNativeStackLabel);
    for (uint32_t i = first; i < depth; ++i) {
      node = intern_native_frame(state, node, frames[i], i > 0 ? &frames[i - 1] : nullptr);
    }
    return node;
  }
  if (state.top == nullptr) return node_of_kept_frames(state, kept);
  const uint32_t depth = state.depth;
  return intern_native_run(state, node_of_frames(state, depth), *state.top,
                           state.frames[depth - 1]);
}

}  // namespace memlens::interposer
