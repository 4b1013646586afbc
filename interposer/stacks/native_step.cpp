#include "interposer/stacks/native_step.h"

#include <cerrno>

#include "interposer/python/runtime.h"
#include "interposer/stacks/family_rules.h"
#include "interposer/stacks/hybrid_interpreter.h"
#include "interposer/stacks/native_caches.h"
#include "interposer/stacks/processor.h"

namespace memlens::interposer {
namespace {

using unwind::CfiResult;
using unwind::CodeObject;
using unwind::kStackWord;
using unwind::load_word;
using unwind::Position;
using unwind::Registers;
using unwind::RuleKind;
using unwind::StepOutcome;
using unwind::StepTrace;
using unwind::UnwindRow;
using unwind::UnwindRule;

// Whether a return to `address` is none: a function begins there, and no call stands before it.
bool is_returned_to_uncalled(NativeStackState& state, const CodeObject& object, uintptr_t address) {
  UnwindRow row;
  bool signal_frame = false;
  uintptr_t start = 0;
  return unwind::find_unwind_row(object.section, address, state.scratch, row, signal_frame,
                                 &start) == CfiResult::kFound &&
         start == address && !unwind::is_return_address(address, state.objects);
}

UnwindRule compile_rule_in(NativeStackState& state, const CodeObject& object, uintptr_t address) {
  UnwindRow row;
  bool signal_frame = false;
  UnwindRule rule = UnwindRule::of(RuleKind::kNoInformation);
  if (unwind::find_unwind_row(object.section, address, state.scratch, row, signal_frame) ==
      CfiResult::kFound) {
    rule = unwind::compile_rule(row, signal_frame);
  } else if (is_returned_to_uncalled(state, object, address + 1)) {
    rule = UnwindRule::of(RuleKind::kNotCalled);
  }
  rule.tagged = object.place_tag != 0;
  rule.interpreter = is_evaluation_loop(address);
  ++state.rules_compiled;
  if (rule.kind() == RuleKind::kNeedsRegisters) ++state.rules_complex;
  return rule;
}

__attribute__((noinline, cold)) UnwindRule compile_rule_at(NativeStackState& state,
                                                           uintptr_t address) {
  const int saved_errno = errno;
  const CodeObject* object = unwind::find_object(address, state.objects);
  if (object == nullptr) {
    // Not kept: a library may be loaded there, or other code generated.
    errno = saved_errno;
    return UnwindRule::of(RuleKind::kOutsideModules);
  }
  UnwindRule rule = UnwindRule::of(RuleKind::kNoInformation);
  const bool shared = unwind::family_rules::has_object(object->load_bias, state.rules_generation);
  bool keep = !shared;
  if (!shared || !unwind::family_rules::find(address, rule, keep)) {
    rule = compile_rule_in(state, *object, address);
    if (shared) unwind::family_rules::insert(address, rule);
  }
  if (keep) native_caches()->rules.insert(address, state.rules_generation, rule);
  errno = saved_errno;
  return rule;
}

inline UnwindRule rule_at(NativeStackState& state, uintptr_t address) {
  UnwindRule rule;
  if (__builtin_expect(native_caches()->rules.find(address, state.rules_generation, rule), 1))
    return rule;
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
    if (outer % kStackWord != 0 || outer < inner || outer - inner > kLargestFrame ||
        !state.memory.readable(unwind::return_slot_of_frame(outer))) {
      return false;
    }
    if (unwind::is_return_address(load_word(unwind::return_slot_of_frame(outer)), state.objects)) {
      state.believed_frames = {position.frame_pointer, outer};
      return true;
    }
    inner = unwind::outer_stack_of_frame(outer);
    outer = load_word(unwind::outer_frame_slot_of(outer));
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
  position.pc = load_word(unwind::return_slot_of_frame(frame));
  position.frame_pointer = load_word(unwind::outer_frame_slot_of(frame));
  position.stack_pointer = unwind::outer_stack_of_frame(frame);
  position.exact = false;
  return true;
}

// Out of a trampoline that `python -X perf` runs each function through: generated code, of which no
// unwind information tells, but every instruction is known. Looking at code asks the kernel about
// new pages; a program that has code at ever new places (or stacks that lead nowhere) is let alone.
bool step_out_of_trampoline(NativeStackState& state, Position& position, StepTrace& trace) {
  using unwind::Trampoline;
  constexpr unsigned kFirstMinor = 12;
  constexpr uint32_t kMostMisses = 64;
  if (python::runtime.minor < kFirstMinor || position.exact ||
      state.code_misses + state.code_memory.lost_windows() > kMostMisses) {
    return false;
  }
  if (!state.code_memory.enter(position.pc - unwind::kTrampolineBytesBefore) ||
      !state.code_memory.readable(position.pc + unwind::kTrampolineBytesAfter)) {
    ++state.code_misses;
    return false;
  }
  const Trampoline found = unwind::trampoline_at(reinterpret_cast<const uint8_t*>(position.pc));
  const uintptr_t stack = position.stack_pointer;
  if (found == Trampoline::kNone ||
      !state.memory.readable(unwind::return_slot_of_trampoline(stack))) {
    return false;
  }
  trace = StepTrace{};
  if (found == Trampoline::kWithFrame) {
    trace.frame_slot = stack;
    position.frame_pointer = load_word(stack);
  }
  position.pc = load_word(unwind::return_slot_of_trampoline(stack));
  position.stack_pointer = unwind::outer_stack_of_trampoline(stack);
  return true;
}

bool step_registers_once(NativeStackState& state, Registers& registers, bool& exact) {
  const uintptr_t pc = registers.values[Registers::kProgramCounter];
  const uintptr_t address = exact ? pc : pc - 1;
  UnwindRow row;
  bool signal_frame = false;
  const CodeObject* object = unwind::find_object(address, state.objects);
  if (object != nullptr && unwind::find_unwind_row(object->section, address, state.scratch, row,
                                                   signal_frame) == CfiResult::kFound) {
    if (!unwind::step_registers(row, state.memory, registers)) return false;
    exact = signal_frame;
    return !signal_frame || state.memory.enter(registers.values[Registers::kStackPointer]);
  }
  Position position{pc, registers.values[Registers::kStackPointer],
                    registers.values[Registers::kFramePointer], exact};
  StepTrace trace;
  if ((object != nullptr || !step_out_of_trampoline(state, position, trace)) &&
      !step_by_frame_pointer(state, position, trace)) {
    return false;
  }
  registers.set(Registers::kProgramCounter, position.pc);
  registers.set(Registers::kStackPointer, position.stack_pointer);
  registers.set(Registers::kFramePointer, position.frame_pointer);
  exact = false;
  return true;
}

// Makes a step that needs registers by going all the way again from here with all of them.
__attribute__((noinline, cold)) bool step_with_registers(NativeStackState& state,
                                                         Position& position) {
  const int saved_errno = errno;
  Registers registers{};
  unwind::memlens_read_registers(&registers);
  bool exact = false, stepped = state.memory.enter(registers.values[Registers::kStackPointer]);
  for (uint32_t count = 0; stepped && count < kMaxNativeFrames; ++count) {
    const bool there = registers.values[Registers::kProgramCounter] == position.pc &&
                       registers.values[Registers::kStackPointer] == position.stack_pointer;
    stepped = step_registers_once(state, registers, exact);
    if (there) break;
  }
  errno = saved_errno;
  if (!stepped || registers.values[Registers::kProgramCounter] == 0) return false;
  position.pc = registers.values[Registers::kProgramCounter];
  position.stack_pointer = registers.values[Registers::kStackPointer];
  registers.get(Registers::kFramePointer, position.frame_pointer);
  position.exact = exact;
  return true;
}

// A frame of many megabytes, beyond what windows grow by: its other end is a window of its own.
// Believed only when a call returns there.
__attribute__((noinline, cold)) StepOutcome step_over_large_frame(NativeStackState& state,
                                                                  UnwindRule rule,
                                                                  Position& position,
                                                                  StepTrace& trace) {
  uintptr_t cfa = static_cast<uintptr_t>(rule.cfa_offset);
  if (rule.kind() == RuleKind::kCfaFromStack) {
    cfa += position.stack_pointer;
  } else if (rule.kind() == RuleKind::kCfaFromFrame) {
    cfa += position.frame_pointer;
  } else {
    return StepOutcome::kUnreadable;
  }
  const uintptr_t return_slot = unwind::return_slot_of(cfa);
  if (cfa % kStackWord != 0 || return_slot <= position.stack_pointer ||
      !unwind::is_readable(return_slot) ||
      !unwind::is_return_address(load_word(return_slot), state.objects)) {
    return StepOutcome::kUnreadable;
  }
  // The caller's frame pointer is saved below the return address.
  uintptr_t lowest = return_slot;
  if (rule.saved_frame() == unwind::SavedFrame::kAtCfa && rule.frame_offset < 0 &&
      rule.frame_offset > -int64_t{4096}) {
    lowest = cfa + static_cast<uintptr_t>(rule.frame_offset);
  }
  if (!state.memory.enter(lowest)) return StepOutcome::kUnreadable;
  return unwind::step_by_rule(rule, state.memory, position, trace);
}

}  // namespace

Stepped step(NativeStackState& state, Position& position, NativeFrame& frame) {
  const UnwindRule rule = rule_at(state, position.code_address());
  StepTrace trace;
  frame.interpreter = rule.interpreter;
  frame.tagged = rule.tagged;
  StepOutcome outcome = unwind::step_by_rule(rule, state.memory, position, trace);
  frame.by_rule = outcome == StepOutcome::kStepped;
  if (__builtin_expect(outcome == StepOutcome::kUnreadable, 0)) {
    outcome = step_over_large_frame(state, rule, position, trace);
  }
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
        return Stepped::kAtEnd;
      }
      if (rule.kind() == RuleKind::kNotCalled) return Stepped::kBeyondEnd;
      stepped = rule.kind() == RuleKind::kOutsideModules &&
                step_out_of_trampoline(state, position, trace);
      frame.by_rule = stepped;
      if (!stepped) stepped = step_by_frame_pointer(state, position, trace);
    }
    outcome = stepped ? StepOutcome::kStepped : StepOutcome::kUnreadable;
  }
  frame.frame_slot = trace.frame_slot;
  if (trace.used_frame) frame.flags |= NativeFrame::kUsesFrame;
  if (trace.frame_slot != 0) frame.flags |= NativeFrame::kRestoresFrame;
  if (trace.not_comparable) frame.flags |= NativeFrame::kNotComparable;
  if (__builtin_expect(outcome == StepOutcome::kStepped, 1)) return Stepped::kOut;
  // The end depends on nothing further out; a cut may look different next time.
  frame.flags |= NativeFrame::kRestoresFrame;
  if (outcome != StepOutcome::kOutermost) {
    frame.flags |= NativeFrame::kCut | NativeFrame::kNotComparable;
  }
  return Stepped::kAtEnd;
}

}  // namespace memlens::interposer
