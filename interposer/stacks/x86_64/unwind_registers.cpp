#include "interposer/stacks/x86_64/unwind_registers.h"

#include "interposer/stacks/unwind_bytes.h"

namespace memlens::interposer::unwind {
namespace {

// A DWARF expression over registers and memory (DWARF 5, chapter 2.5). Enough of it for what
// assembly writers and compilers put into call frame information.
class ExpressionStack {
 public:
  ExpressionStack(const Registers& registers, StackMemory& memory)
      : registers_(registers), memory_(memory) {}

  bool evaluate(ExpressionPointer expression, const uint64_t* pushed_first, uint64_t& result) {
    constexpr size_t kMaxLengthBytes = 10;
    ByteCursor length(expression, expression + kMaxLengthBytes);
    const uint64_t bytes = length.read_uleb128();
    const uint8_t* const begin = length.position();
    const uint8_t* const end = begin + bytes;
    if (pushed_first != nullptr) push(*pushed_first);
    ByteCursor code(begin, end);
    // Branches could loop for ever.
    for (int steps = 0; !code.at_end(); ++steps) {
      if (steps > kMaxSteps || !run(code, begin, end) || code.failed() || bad_) return false;
    }
    if (depth_ == 0 || code.failed()) return false;
    result = values_[depth_ - 1];
    return true;
  }

 private:
  static constexpr int kMaxSteps = 1000;
  static constexpr unsigned kMaxDepth = 16;

  enum Operation : uint8_t {
    kAddr = 0x03,
    kDeref = 0x06,
    kConst1u = 0x08,
    kConst1s,
    kConst2u,
    kConst2s,
    kConst4u,
    kConst4s,
    kConst8u,
    kConst8s,
    kConstu,
    kConsts,
    kDup = 0x12,
    kDrop,
    kOver,
    kPick,
    kSwap,
    kRot,
    kAbs = 0x19,
    kAnd,
    kDiv,
    kMinus,
    kMod,
    kMul,
    kNeg,
    kNot,
    kOr,
    kPlus,
    kPlusUconst,
    kShl,
    kShr,
    kShra,
    kXor,
    kBra,
    kEq,
    kGe,
    kGt,
    kLe,
    kLt,
    kNe,
    kSkip,
    kLit0 = 0x30,
    kLit31 = 0x4f,
    kBreg0 = 0x70,
    kBreg31 = 0x8f,
    kBregx = 0x92,
    kDerefSize = 0x94,
    kNop = 0x96,
  };

  void push(uint64_t value) {
    if (depth_ == kMaxDepth) {
      bad_ = true;
    } else {
      values_[depth_++] = value;
    }
  }
  uint64_t pop() {
    if (depth_ == 0) {
      bad_ = true;
      return 0;
    }
    return values_[--depth_];
  }
  void pick(unsigned index) {
    if (index >= depth_) {
      bad_ = true;
    } else {
      push(values_[depth_ - 1 - index]);
    }
  }
  void push_register(uint64_t number, int64_t offset) {
    uint64_t value = 0;
    if (!registers_.get(number, value)) bad_ = true;
    push(value + static_cast<uint64_t>(offset));
  }
  void dereference(unsigned bytes) {
    const uint64_t address = pop();
    if (bad_ || bytes == 0 || bytes > 8 || !memory_.readable(address)) {
      // Not the stack: thread-local and global data of hand-written runtimes.
      const bool same_page_word = (address & 7) == 0;
      if (bad_ || bytes == 0 || bytes > 8 || !same_page_word || !is_readable(address)) {
        bad_ = true;
        return;
      }
    }
    uint64_t value = 0;
    std::memcpy(&value, reinterpret_cast<const void*>(address), bytes);
    push(value);
  }
  void jump(ByteCursor& code, const uint8_t* begin, const uint8_t* end, int16_t distance) {
    const uint8_t* const target = code.position() + distance;
    if (target < begin || target > end) {
      bad_ = true;
    } else {
      code = ByteCursor(target, end);
    }
  }

  bool run(ByteCursor& code, const uint8_t* begin, const uint8_t* end) {
    const auto operation = code.read<uint8_t>();
    if (operation >= kLit0 && operation <= kLit31) {
      push(operation - kLit0);
      return true;
    }
    if (operation >= kBreg0 && operation <= kBreg31) {
      push_register(operation - kBreg0, code.read_sleb128());
      return true;
    }
    switch (operation) {
      case kAddr:
      case kConst8u:
      case kConst8s:
        push(code.read<uint64_t>());
        return true;
      case kConst1u:
        push(code.read<uint8_t>());
        return true;
      case kConst1s:
        push(static_cast<uint64_t>(int64_t{code.read<int8_t>()}));
        return true;
      case kConst2u:
        push(code.read<uint16_t>());
        return true;
      case kConst2s:
        push(static_cast<uint64_t>(int64_t{code.read<int16_t>()}));
        return true;
      case kConst4u:
        push(code.read<uint32_t>());
        return true;
      case kConst4s:
        push(static_cast<uint64_t>(int64_t{code.read<int32_t>()}));
        return true;
      case kConstu:
        push(code.read_uleb128());
        return true;
      case kConsts:
        push(static_cast<uint64_t>(code.read_sleb128()));
        return true;
      case kBregx: {
        const uint64_t number = code.read_uleb128();
        push_register(number, code.read_sleb128());
        return true;
      }
      case kDeref:
        dereference(8);
        return true;
      case kDerefSize:
        dereference(code.read<uint8_t>());
        return true;
      case kDup:
        pick(0);
        return true;
      case kDrop:
        pop();
        return true;
      case kOver:
        pick(1);
        return true;
      case kPick:
        pick(code.read<uint8_t>());
        return true;
      case kSwap: {
        const uint64_t top = pop(), second = pop();
        push(top);
        push(second);
        return true;
      }
      case kRot: {
        const uint64_t top = pop(), second = pop(), third = pop();
        push(top);
        push(third);
        push(second);
        return true;
      }
      case kSkip:
        jump(code, begin, end, code.read<int16_t>());
        return true;
      case kBra: {
        const auto distance = code.read<int16_t>();
        if (pop() != 0) jump(code, begin, end, distance);
        return true;
      }
      case kPlusUconst:
        push(pop() + code.read_uleb128());
        return true;
      case kAbs: {
        const uint64_t value = pop();
        push(static_cast<int64_t>(value) < 0 ? -value : value);
        return true;
      }
      case kNeg:
        push(-pop());
        return true;
      case kNot:
        push(~pop());
        return true;
      case kNop:
        return true;
      default:
        return binary(operation);
    }
  }

  bool binary(uint8_t operation) {
    const uint64_t right = pop(), left = pop();
    const auto signed_left = static_cast<int64_t>(left), signed_right = static_cast<int64_t>(right);
    const uint64_t shift = right & 63;
    switch (operation) {
      case kAnd:
        push(left & right);
        return true;
      case kOr:
        push(left | right);
        return true;
      case kXor:
        push(left ^ right);
        return true;
      case kPlus:
        push(left + right);
        return true;
      case kMinus:
        push(left - right);
        return true;
      case kMul:
        push(left * right);
        return true;
      case kShl:
        push(right > 63 ? 0 : left << shift);
        return true;
      case kShr:
        push(right > 63 ? 0 : left >> shift);
        return true;
      case kShra:
        push(static_cast<uint64_t>(signed_left >> (right > 63 ? 63 : shift)));
        return true;
      case kEq:
        push(left == right);
        return true;
      case kNe:
        push(left != right);
        return true;
      case kGe:
        push(signed_left >= signed_right);
        return true;
      case kGt:
        push(signed_left > signed_right);
        return true;
      case kLe:
        push(signed_left <= signed_right);
        return true;
      case kLt:
        push(signed_left < signed_right);
        return true;
      default:
        return false;  // division and what needs a debugger
    }
  }

  const Registers& registers_;
  StackMemory& memory_;
  uint64_t values_[kMaxDepth];
  unsigned depth_ = 0;
  bool bad_ = false;
};

bool load(StackMemory& memory, uint64_t address, uint64_t& value) {
  if (!memory.readable(address)) return false;
  value = load_word(address);
  return true;
}

bool compute_cfa(const UnwindRow& row, StackMemory& memory, const Registers& registers,
                 uint64_t& cfa) {
  if (row.cfa_kind == CfaKind::kExpression) {
    return ExpressionStack(registers, memory).evaluate(row.cfa_expression, nullptr, cfa);
  }
  if (!registers.get(row.cfa_register, cfa)) return false;
  cfa += static_cast<uint64_t>(row.cfa_offset);
  return true;
}

// The caller's value of one register; false when it is lost.
bool caller_value(const UnwindRow& row, unsigned number, uint64_t cfa, StackMemory& memory,
                  const Registers& registers, uint64_t& value) {
  const UnwindRow::Value where = row.values[number];
  switch (row.kinds[number]) {
    case RegisterKind::kSame:
      return registers.get(number, value);
    case RegisterKind::kUndefined:
      return false;
    case RegisterKind::kAtCfa:
      return load(memory, cfa + static_cast<uint64_t>(where.offset), value);
    case RegisterKind::kIsCfaPlus:
      value = cfa + static_cast<uint64_t>(where.offset);
      return true;
    case RegisterKind::kInRegister:
      return registers.get(static_cast<uint64_t>(where.offset), value);
    case RegisterKind::kAtExpression: {
      uint64_t address = 0;
      return ExpressionStack(registers, memory).evaluate(where.expression, &cfa, address) &&
             load(memory, address, value);
    }
    case RegisterKind::kIsExpression:
      return ExpressionStack(registers, memory).evaluate(where.expression, &cfa, value);
  }
  return false;
}

}  // namespace

asm(R"(
    .text
    .globl memlens_read_registers
    .hidden memlens_read_registers
    .type memlens_read_registers, @function
memlens_read_registers:
    .cfi_startproc
    movq %rbx, 3*8(%rdi)
    movq %rbp, 6*8(%rdi)
    leaq 8(%rsp), %rax
    movq %rax, 7*8(%rdi)
    movq %r12, 12*8(%rdi)
    movq %r13, 13*8(%rdi)
    movq %r14, 14*8(%rdi)
    movq %r15, 15*8(%rdi)
    movq (%rsp), %rax
    movq %rax, 16*8(%rdi)
    movl $0x1f0c8, 17*8(%rdi)
    ret
    .cfi_endproc
    .size memlens_read_registers, .-memlens_read_registers
)");
static_assert(offsetof(Registers, known) == 17 * 8);
static_assert((1u << 3 | 1u << 6 | 1u << 7 | 0xfu << 12 | 1u << 16) == 0x1f0c8);

bool step_registers(const UnwindRow& row, StackMemory& memory, Registers& registers) {
  uint64_t cfa = 0;
  if (!compute_cfa(row, memory, registers, cfa)) return false;
  Registers caller{};
  for (unsigned number = 0; number < kRegisterCount; ++number) {
    if (number == Registers::kStackPointer && row.kinds[number] == RegisterKind::kSame) {
      caller.set(number, cfa);
      continue;
    }
    uint64_t value = 0;
    if (caller_value(row, number, cfa, memory, registers, value)) caller.set(number, value);
  }
  constexpr uint32_t kNeeded = 1u << Registers::kStackPointer | 1u << Registers::kProgramCounter;
  if ((caller.known & kNeeded) != kNeeded) return false;
  registers = caller;
  return true;
}

}  // namespace memlens::interposer::unwind
