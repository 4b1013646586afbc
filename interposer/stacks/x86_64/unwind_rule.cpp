#include "interposer/stacks/x86_64/unwind_rule.h"

#include "interposer/stacks/unwind_bytes.h"
#include "interposer/stacks/unwind_cfi.h"
#include "interposer/stacks/x86_64/calls.h"
#include "interposer/stacks/x86_64/unwind_registers.h"

namespace memlens::interposer::unwind {
namespace {

constexpr uint8_t kFramePointer = Registers::kFramePointer;
constexpr uint8_t kStackPointer = Registers::kStackPointer;
constexpr uint8_t kProgramCounter = Registers::kProgramCounter;

// DW_OP_*
constexpr uint8_t kOpDeref = 0x06, kOpBreg0 = 0x70, kOpBreg31 = 0x8f;

bool fits(int64_t offset) { return offset >= -kMaxRuleOffset && offset <= kMaxRuleOffset; }

// breg<n> <offset> [deref]: the only expressions compilers write for general registers.
struct SimpleExpression {
  bool valid;
  bool dereferenced;
  uint8_t reg;
  int64_t offset;
};

ByteCursor operations_of(ExpressionPointer expression) {
  // The interpreter has checked that length and operations lie within the section.
  constexpr size_t kMaxLengthBytes = 10;
  ByteCursor length(expression, expression + kMaxLengthBytes);
  const uint64_t bytes = length.read_uleb128();
  return ByteCursor(length.position(), length.position() + bytes);
}

SimpleExpression parse_simple(ExpressionPointer expression) {
  ByteCursor code = operations_of(expression);
  SimpleExpression result{};
  const auto operation = code.read<uint8_t>();
  if (operation < kOpBreg0 || operation > kOpBreg31) return result;
  result.reg = static_cast<uint8_t>(operation - kOpBreg0);
  result.offset = code.read_sleb128();
  if (!code.at_end()) result.dereferenced = code.read<uint8_t>() == kOpDeref;
  result.valid = !code.failed() && code.at_end();
  return result;
}

// The one expression linkers write, for .plt: rsp + 8 + ((rip & 15) >= n ? 8 : 0).
// Returns n, or 0 when it is something else.
int64_t parse_plt_expression(ExpressionPointer expression) {
  ByteCursor code = operations_of(expression);
  constexpr uint8_t kBefore[] = {0x77, 8, 0x80, 0, 0x3f, 0x1a};  // breg7 8; breg16 0; lit15; and
  constexpr uint8_t kAfter[] = {0x2a, 0x33, 0x24, 0x22};         // ge; lit3; shl; plus
  if (code.left() != sizeof kBefore + 1 + sizeof kAfter ||
      std::memcmp(code.position(), kBefore, sizeof kBefore) != 0) {
    return 0;
  }
  code.skip(sizeof kBefore);
  const uint8_t literal = code.read<uint8_t>();
  if (literal < 0x31 || literal > 0x3f) return 0;  // lit1..lit15
  return std::memcmp(code.position(), kAfter, sizeof kAfter) == 0 ? literal - 0x30 : 0;
}

bool is_at(const UnwindRow& row, uint8_t reg, int64_t rsp_offset) {
  if (row.kinds[reg] != RegisterKind::kAtExpression) return false;
  const SimpleExpression place = parse_simple(row.values[reg].expression);
  return place.valid && !place.dereferenced && place.reg == kStackPointer &&
         place.offset == rsp_offset;
}

bool is_kernel_signal_frame(const UnwindRow& row) {
  if (row.cfa_kind != CfaKind::kExpression) return false;
  const SimpleExpression cfa = parse_simple(row.cfa_expression);
  return cfa.valid && cfa.dereferenced && cfa.reg == kStackPointer &&
         cfa.offset == kSignalFrameRsp && is_at(row, kFramePointer, kSignalFrameRbp) &&
         is_at(row, kProgramCounter, kSignalFrameRip);
}

bool compile_cfa(const UnwindRow& row, UnwindRule& rule) {
  if (row.cfa_kind == CfaKind::kRegisterPlus) {
    if (row.cfa_register != kStackPointer && row.cfa_register != kFramePointer) return false;
    rule = UnwindRule::of(row.cfa_register == kStackPointer ? RuleKind::kCfaFromStack
                                                            : RuleKind::kCfaFromFrame);
    rule.cfa_offset = row.cfa_offset;
    return fits(row.cfa_offset);
  }
  if (const int64_t pushed_from = parse_plt_expression(row.cfa_expression); pushed_from != 0) {
    rule = UnwindRule::of(RuleKind::kPltStub);
    rule.cfa_offset = pushed_from;
    return true;
  }
  const SimpleExpression cfa = parse_simple(row.cfa_expression);
  if (!cfa.valid || (cfa.reg != kStackPointer && cfa.reg != kFramePointer) || !fits(cfa.offset))
    return false;
  if (cfa.dereferenced) {
    rule = UnwindRule::of(cfa.reg == kStackPointer ? RuleKind::kCfaAtStack : RuleKind::kCfaAtFrame);
  } else {
    rule = UnwindRule::of(cfa.reg == kStackPointer ? RuleKind::kCfaFromStack
                                                   : RuleKind::kCfaFromFrame);
  }
  rule.cfa_offset = cfa.offset;
  return true;
}

bool compile_saved_frame(const UnwindRow& row, UnwindRule& rule) {
  SavedFrame saved = SavedFrame::kSame;
  int64_t offset = 0;
  switch (row.kinds[kFramePointer]) {
    case RegisterKind::kSame:
    case RegisterKind::kUndefined:
      break;
    case RegisterKind::kAtCfa:
      saved = SavedFrame::kAtCfa;
      offset = row.values[kFramePointer].offset;
      break;
    case RegisterKind::kAtExpression: {
      const SimpleExpression place = parse_simple(row.values[kFramePointer].expression);
      if (!place.valid || place.dereferenced ||
          (place.reg != kStackPointer && place.reg != kFramePointer)) {
        return false;
      }
      saved = place.reg == kStackPointer ? SavedFrame::kAtStack : SavedFrame::kAtFrame;
      offset = place.offset;
      break;
    }
    default:
      return false;
  }
  if (!fits(offset)) return false;
  rule.saved_frame_bits = static_cast<uint64_t>(saved);
  rule.frame_offset = offset;
  return true;
}

}  // namespace

UnwindRule compile_rule(const UnwindRow& row, bool signal_frame) {
  const UnwindRule complex = UnwindRule::of(RuleKind::kNeedsRegisters);
  if (row.kinds[kProgramCounter] == RegisterKind::kUndefined)
    return UnwindRule::of(RuleKind::kOutermost);
  if (signal_frame) {
    return is_kernel_signal_frame(row) ? UnwindRule::of(RuleKind::kSignalFrame) : complex;
  }
  constexpr int64_t kReturnAddress = -int64_t{kStackWord};  // below the CFA
  if (row.kinds[kProgramCounter] != RegisterKind::kAtCfa ||
      row.values[kProgramCounter].offset != kReturnAddress ||
      row.kinds[kStackPointer] != RegisterKind::kSame) {
    return complex;
  }
  UnwindRule rule;
  if (!compile_cfa(row, rule) || !compile_saved_frame(row, rule)) return complex;
  return rule;
}

}  // namespace memlens::interposer::unwind
