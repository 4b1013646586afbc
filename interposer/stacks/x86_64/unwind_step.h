// One step outward by a rule, on x86-64.
#pragma once

#include <cstdint>

#include "interposer/guest/stack_memory.h"
#include "interposer/stacks/x86_64/calls.h"
#include "interposer/stacks/x86_64/unwind_rule.h"

namespace memlens::interposer::unwind {

// Where a frame is.
struct Position {
  uintptr_t pc;
  uintptr_t stack_pointer;
  uintptr_t frame_pointer;
  bool exact;  // pc is what runs, not a return address behind a call

  uintptr_t code_address() const { return exact ? pc : pc - 1; }
};

enum class StepOutcome : uint8_t {
  kStepped,
  kOutermost,
  kUnreadable,  // led to memory that cannot be read, or inward
  kNotByRule,   // needs registers, or frame pointers
};

// What a step read besides the return address, which lies just below the caller's stack pointer.
struct StepTrace {
  uintptr_t frame_slot;  // where the caller's frame pointer was loaded from; 0: not loaded
  bool used_frame;       // the frame pointer took part
  bool not_comparable;   // read something that is not kept here
};

__attribute__((always_inline)) inline StepOutcome step_by_rule(UnwindRule rule, StackMemory& memory,
                                                               Position& position,
                                                               StepTrace& trace) {
  const uintptr_t stack = position.stack_pointer, frame = position.frame_pointer;
  uintptr_t cfa;
  trace = StepTrace{};
  switch (rule.kind()) {
    case RuleKind::kCfaFromStack:
      cfa = stack + static_cast<uintptr_t>(rule.cfa_offset);
      break;
    case RuleKind::kCfaFromFrame:
      cfa = frame + static_cast<uintptr_t>(rule.cfa_offset);
      trace.used_frame = true;
      break;
    case RuleKind::kPltStub:
      cfa = stack + kStackWord +
            (static_cast<int64_t>(position.pc & 15) >= rule.cfa_offset ? kStackWord : 0);
      break;
    case RuleKind::kCfaAtFrame:
    case RuleKind::kCfaAtStack: {
      const bool at_frame = rule.kind() == RuleKind::kCfaAtFrame;
      const uintptr_t place = (at_frame ? frame : stack) + static_cast<uintptr_t>(rule.cfa_offset);
      if (!memory.readable(place)) return StepOutcome::kUnreadable;
      cfa = load_word(place);
      trace.used_frame = at_frame;
      trace.not_comparable = true;
      break;
    }
    case RuleKind::kSignalFrame: {
      if (!memory.readable(stack + static_cast<uintptr_t>(kSignalFrameRbp)) ||
          !memory.readable(stack + static_cast<uintptr_t>(kSignalFrameRip))) {
        return StepOutcome::kUnreadable;
      }
      trace.frame_slot = stack + static_cast<uintptr_t>(kSignalFrameRbp);
      trace.not_comparable = true;
      position.frame_pointer = load_word(trace.frame_slot);
      position.stack_pointer = load_word(stack + static_cast<uintptr_t>(kSignalFrameRsp));
      position.pc = load_word(stack + static_cast<uintptr_t>(kSignalFrameRip));
      position.exact = true;
      // The handler may have run on a stack of its own.
      return memory.enter(position.stack_pointer) ? StepOutcome::kStepped
                                                  : StepOutcome::kUnreadable;
    }
    case RuleKind::kOutermost:
      return StepOutcome::kOutermost;
    default:
      return StepOutcome::kNotByRule;
  }
  if (__builtin_expect(cfa <= stack || !memory.readable(return_slot_of(cfa)), 0)) {
    return StepOutcome::kUnreadable;
  }
  switch (rule.saved_frame()) {
    case SavedFrame::kSame:
      break;
    case SavedFrame::kAtCfa:
      trace.frame_slot = cfa + static_cast<uintptr_t>(rule.frame_offset);
      break;
    case SavedFrame::kAtFrame:
      trace.frame_slot = frame + static_cast<uintptr_t>(rule.frame_offset);
      trace.used_frame = true;
      break;
    case SavedFrame::kAtStack:
      trace.frame_slot = stack + static_cast<uintptr_t>(rule.frame_offset);
      break;
  }
  if (trace.frame_slot != 0) {
    if (__builtin_expect(!memory.readable(trace.frame_slot), 0)) return StepOutcome::kUnreadable;
    position.frame_pointer = load_word(trace.frame_slot);
  }
  position.pc = load_word(return_slot_of(cfa));
  position.stack_pointer = cfa;
  position.exact = false;
  return position.pc == 0 ? StepOutcome::kOutermost : StepOutcome::kStepped;
}

}  // namespace memlens::interposer::unwind
