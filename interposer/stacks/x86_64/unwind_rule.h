// How to step out of a frame on x86-64, in eight bytes.
//
// Nearly every row of call frame information says: the canonical frame address (the stack pointer
// before the call) is rsp or rbp plus a constant, the return address is below it, and rbp is either
// untouched or saved at a constant place. That much is a rule; what is left (hand-written assembly,
// lazy binding; measured at well under 0.5 % of the addresses in stacks) needs all registers and is
// stepped by unwind_registers.
#pragma once

#include <cstdint>
#include <cstring>

namespace memlens::interposer::unwind {

enum class RuleKind : uint8_t {
  kUnknown = 0,     // nothing compiled: rules of zeroed memory
  kCfaFromStack,    // CFA = rsp + offset
  kCfaFromFrame,    // CFA = rbp + offset
  kCfaAtFrame,      // CFA = *(rbp + offset): realigned frames
  kCfaAtStack,      // CFA = *(rsp + offset)
  kPltStub,         // CFA = rsp + 8, or 16 once the stub has pushed (from `offset` in its 16 bytes)
  kSignalFrame,     // the kernel's frame: the interrupted registers are in it
  kOutermost,       // no caller
  kNeedsRegisters,  // too complex for a rule
  kNoInformation,   // in a module, but not described: frame pointers, if they lead anywhere
  kOutsideModules,  // generated code, or nonsense
  kNotCalled,       // a function begins right behind it, which is returned to without a call
};

enum class SavedFrame : uint8_t {  // rbp of the caller
  kSame,
  kAtCfa,    // saved at CFA + frame_offset
  kAtFrame,  // saved at rbp + frame_offset
  kAtStack,  // saved at rsp + frame_offset
};

struct UnwindRule {
  uint64_t kind_bits : 4;
  uint64_t saved_frame_bits : 2;
  uint64_t tagged : 1;       // of a module that took the place of another: see module_places.h
  uint64_t interpreter : 1;  // inside a Python evaluation loop
  int64_t cfa_offset : 28;
  int64_t frame_offset : 28;

  RuleKind kind() const { return static_cast<RuleKind>(kind_bits); }
  SavedFrame saved_frame() const { return static_cast<SavedFrame>(saved_frame_bits); }

  uint64_t bits() const {
    uint64_t value;
    std::memcpy(&value, this, sizeof value);
    return value;
  }
  static UnwindRule from_bits(uint64_t value) {
    UnwindRule rule;
    std::memcpy(&rule, &value, sizeof value);
    return rule;
  }
  static UnwindRule of(RuleKind kind) {
    UnwindRule rule = from_bits(0);
    rule.kind_bits = static_cast<uint64_t>(kind);
    return rule;
  }
};
static_assert(sizeof(UnwindRule) == 8);

// The largest magnitude an offset field holds.
inline constexpr int64_t kMaxRuleOffset = (int64_t{1} << 27) - 1;

// Where the kernel's signal frame keeps the interrupted registers, from rsp at the return
// trampoline (uc_mcontext of the ucontext): part of the kernel's ABI.
inline constexpr intptr_t kSignalFrameRbp = 120;
inline constexpr intptr_t kSignalFrameRsp = 160;
inline constexpr intptr_t kSignalFrameRip = 168;

struct UnwindRow;

// Never fails: what cannot be expressed becomes kNeedsRegisters.
UnwindRule compile_rule(const UnwindRow& row, bool signal_frame);

}  // namespace memlens::interposer::unwind
