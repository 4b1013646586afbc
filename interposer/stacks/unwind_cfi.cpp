#include "interposer/stacks/unwind_cfi.h"

#include "interposer/stacks/unwind_bytes.h"

namespace memlens::interposer::unwind {
namespace {

// DW_EH_PE_*
enum PointerEncoding : uint8_t {
  kFormatMask = 0x0f,
  kAbsolute = 0x00,
  kUleb128 = 0x01,
  kUdata2 = 0x02,
  kUdata4 = 0x03,
  kUdata8 = 0x04,
  kSigned = 0x08,
  kSleb128 = 0x09,
  kSdata2 = 0x0a,
  kSdata4 = 0x0b,
  kSdata8 = 0x0c,
  kApplicationMask = 0x70,
  kPcRelative = 0x10,
  kDataRelative = 0x30,
  kOmitted = 0xff,
};

uint64_t read_encoded(ByteCursor& cursor, uint8_t encoding, uintptr_t data_base) {
  if (encoding == kOmitted) return 0;
  const auto here = reinterpret_cast<uintptr_t>(cursor.position());
  uint64_t value = 0;
  switch (encoding & kFormatMask) {
    case kAbsolute:
    case kSigned:
    case kUdata8:
    case kSdata8:
      value = cursor.read<uint64_t>();
      break;
    case kUleb128:
      value = cursor.read_uleb128();
      break;
    case kSleb128:
      value = static_cast<uint64_t>(cursor.read_sleb128());
      break;
    case kUdata2:
      value = cursor.read<uint16_t>();
      break;
    case kSdata2:
      value = static_cast<uint64_t>(int64_t{cursor.read<int16_t>()});
      break;
    case kUdata4:
      value = cursor.read<uint32_t>();
      break;
    case kSdata4:
      value = static_cast<uint64_t>(int64_t{cursor.read<int32_t>()});
      break;
    default:
      cursor.fail();
      return 0;
  }
  switch (encoding & kApplicationMask) {
    case 0:
      return value;
    case kPcRelative:
      return value + here;
    case kDataRelative:
      return value + data_base;
    default:
      cursor.fail();
      return 0;
  }
}

// Common information entry.
struct Cie {
  uint64_t code_alignment;
  int64_t data_alignment;
  uint64_t return_address_register;
  uint8_t pointer_encoding;
  bool has_augmentation;
  bool signal_frame;
  ByteCursor instructions;
};

// Frame description entry.
struct Fde {
  uintptr_t start;
  uintptr_t end;
  ByteCursor instructions;
};

// An entry's body behind its length; the cursor given is at the length.
ByteCursor entry_body(ByteCursor cursor) {
  uint64_t length = cursor.read<uint32_t>();
  if (length == 0xffffffff) length = cursor.read<uint64_t>();
  return cursor.take(length);
}

bool parse_cie(const UnwindSection& section, const uint8_t* address, Cie& cie) {
  const ByteRange range = section.from(address);
  ByteCursor body = entry_body(ByteCursor(range.begin, range.end));
  if (body.failed() || body.read<uint32_t>() != 0) return false;
  const auto version = body.read<uint8_t>();
  if (version != 1 && version != 3) return false;
  const uint8_t* augmentation = body.position();
  while (!body.failed() && body.read<uint8_t>() != 0) {
  }
  if (body.failed()) return false;
  cie.code_alignment = body.read_uleb128();
  cie.data_alignment = body.read_sleb128();
  cie.return_address_register = version == 1 ? body.read<uint8_t>() : body.read_uleb128();
  cie.pointer_encoding = kAbsolute;
  cie.signal_frame = false;
  cie.has_augmentation = *augmentation == 'z';
  if (!cie.has_augmentation && *augmentation != '\0') return false;
  if (cie.has_augmentation) {
    const uint64_t bytes = body.read_uleb128();
    ByteCursor data = body.take(bytes);
    bool known = true;
    for (const uint8_t* letter = augmentation + 1; *letter != '\0' && known; ++letter) {
      switch (*letter) {
        case 'R':
          cie.pointer_encoding = data.read<uint8_t>();
          break;
        case 'L':
          data.read<uint8_t>();
          break;
        case 'P': {
          const auto encoding = data.read<uint8_t>();
          read_encoded(data, encoding & kFormatMask, 0);
          break;
        }
        case 'S':
          cie.signal_frame = true;
          break;
        case 'B':
          break;
        default:
          known = false;  // 'z' tells where the data ends
      }
    }
    if (data.failed()) return false;
  }
  cie.instructions = body;
  return !body.failed();
}

bool parse_fde(const UnwindSection& section, const uint8_t* address, Cie& cie, Fde& fde) {
  const ByteRange range = section.from(address);
  ByteCursor body = entry_body(ByteCursor(range.begin, range.end));
  const uint8_t* cie_pointer = body.position();
  const auto cie_distance = body.read<uint32_t>();
  if (body.failed() || cie_distance == 0) return false;
  if (!parse_cie(section, cie_pointer - cie_distance, cie)) return false;
  fde.start = read_encoded(body, cie.pointer_encoding, 0);
  fde.end = fde.start + read_encoded(body, cie.pointer_encoding & kFormatMask, 0);
  if (cie.has_augmentation) body.skip(body.read_uleb128());
  fde.instructions = body;
  return !body.failed();
}

// Finds the entry that may cover `address` in the header's sorted table.
const uint8_t* search_table(const UnwindSection& section, uintptr_t address) {
  constexpr uint8_t kTableEncoding = kDataRelative | kSdata4;
  const ByteRange range = section.from(section.header);
  ByteCursor cursor(range.begin, range.end);
  const auto base = reinterpret_cast<uintptr_t>(section.header);
  const auto version = cursor.read<uint8_t>();
  const auto frame_encoding = cursor.read<uint8_t>();
  const auto count_encoding = cursor.read<uint8_t>();
  const auto table_encoding = cursor.read<uint8_t>();
  read_encoded(cursor, frame_encoding, base);
  const uint64_t count = read_encoded(cursor, count_encoding, base);
  struct Row {
    int32_t start, entry;
  };
  if (cursor.failed() || version != 1 || table_encoding != kTableEncoding || count == 0 ||
      count > cursor.left() / sizeof(Row)) {
    return nullptr;
  }
  const auto row_at = [table = cursor.position()](uint64_t index) {
    Row row;
    std::memcpy(&row, table + index * sizeof(Row), sizeof(Row));
    return row;
  };
  const auto key = static_cast<int64_t>(address - base);
  uint64_t low = 0, high = count;  // the last row that starts at or before the address
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (row_at(middle).start <= key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low == 0 ? nullptr : section.header + row_at(low - 1).entry;
}

// Call frame instructions, DW_CFA_*. The upper two bits hold three operations of their own.
enum CallFrameOperation : uint8_t {
  kAdvance = 0x40,
  kOffset = 0x80,
  kRestore = 0xc0,
  kNop = 0x00,
  kSetLocation = 0x01,
  kAdvance1 = 0x02,
  kAdvance2 = 0x03,
  kAdvance4 = 0x04,
  kOffsetExtended = 0x05,
  kRestoreExtended = 0x06,
  kUndefinedRule = 0x07,
  kSameValue = 0x08,
  kRegister = 0x09,
  kRememberState = 0x0a,
  kRestoreState = 0x0b,
  kDefineCfa = 0x0c,
  kDefineCfaRegister = 0x0d,
  kDefineCfaOffset = 0x0e,
  kDefineCfaExpression = 0x0f,
  kExpressionRule = 0x10,
  kOffsetExtendedSigned = 0x11,
  kDefineCfaSigned = 0x12,
  kDefineCfaOffsetSigned = 0x13,
  kValueOffset = 0x14,
  kValueOffsetSigned = 0x15,
  kValueExpression = 0x16,
  kGnuArgumentsSize = 0x2e,
  kGnuNegativeOffsetExtended = 0x2f,
};

class CallFrameInterpreter {
 public:
  CallFrameInterpreter(const Cie& cie, uintptr_t start, CfiScratch& scratch, UnwindRow& row)
      : cie_(cie), location_(start), scratch_(scratch), row_(row) {}

  // Runs until the row for `address` is complete. `initial`: these are the common entry's.
  bool run(ByteCursor code, uintptr_t address, bool initial) {
    while (!code.at_end()) {
      const auto operation = code.read<uint8_t>();
      if (!step(operation, code, initial)) return false;
      if (code.failed()) return false;
      if (!initial && location_ > address) return true;
    }
    return !code.failed();
  }

 private:
  bool step(uint8_t operation, ByteCursor& code, bool initial) {
    const unsigned low_bits = operation & 0x3f;
    switch (operation & 0xc0) {
      case kAdvance:
        advance(low_bits);
        return true;
      case kOffset:
        save_at(low_bits, scaled(code.read_uleb128()));
        return true;
      case kRestore:
        restore(low_bits, initial);
        return true;
    }
    switch (operation) {
      case kNop:
        return true;
      case kSetLocation:
        pending_ = read_encoded(code, cie_.pointer_encoding, 0);
        return move();
      case kAdvance1:
        advance(code.read<uint8_t>());
        return true;
      case kAdvance2:
        advance(code.read<uint16_t>());
        return true;
      case kAdvance4:
        advance(code.read<uint32_t>());
        return true;
      case kOffsetExtended: {
        const uint64_t reg = code.read_uleb128();
        save_at(reg, scaled(code.read_uleb128()));
        return true;
      }
      case kOffsetExtendedSigned: {
        const uint64_t reg = code.read_uleb128();
        save_at(reg, code.read_sleb128() * cie_.data_alignment);
        return true;
      }
      case kGnuNegativeOffsetExtended: {
        const uint64_t reg = code.read_uleb128();
        save_at(reg, -scaled(code.read_uleb128()));
        return true;
      }
      case kValueOffset: {
        const uint64_t reg = code.read_uleb128();
        set(reg, RegisterKind::kIsCfaPlus, scaled(code.read_uleb128()));
        return true;
      }
      case kValueOffsetSigned: {
        const uint64_t reg = code.read_uleb128();
        set(reg, RegisterKind::kIsCfaPlus, code.read_sleb128() * cie_.data_alignment);
        return true;
      }
      case kRestoreExtended:
        restore(code.read_uleb128(), initial);
        return true;
      case kUndefinedRule:
        set(code.read_uleb128(), RegisterKind::kUndefined, 0);
        return true;
      case kSameValue:
        set(code.read_uleb128(), RegisterKind::kSame, 0);
        return true;
      case kRegister: {
        const uint64_t reg = code.read_uleb128();
        set(reg, RegisterKind::kInRegister, static_cast<int64_t>(code.read_uleb128()));
        return true;
      }
      case kRememberState:
        return remember();
      case kRestoreState:
        return recall();
      case kDefineCfa:
        define_cfa_register(code.read_uleb128());
        row_.cfa_offset = static_cast<int64_t>(code.read_uleb128());
        return true;
      case kDefineCfaSigned:
        define_cfa_register(code.read_uleb128());
        row_.cfa_offset = code.read_sleb128() * cie_.data_alignment;
        return true;
      case kDefineCfaRegister:
        define_cfa_register(code.read_uleb128());
        return true;
      case kDefineCfaOffset:
        row_.cfa_offset = static_cast<int64_t>(code.read_uleb128());
        return true;
      case kDefineCfaOffsetSigned:
        row_.cfa_offset = code.read_sleb128() * cie_.data_alignment;
        return true;
      case kDefineCfaExpression:
        row_.cfa_kind = CfaKind::kExpression;
        row_.cfa_expression = code.position();
        code.skip(code.read_uleb128());
        return true;
      case kExpressionRule:
        set_expression(code, RegisterKind::kAtExpression);
        return true;
      case kValueExpression:
        set_expression(code, RegisterKind::kIsExpression);
        return true;
      case kGnuArgumentsSize:
        code.read_uleb128();
        return true;
      default:
        return false;
    }
  }

  int64_t scaled(uint64_t offset) const {
    return static_cast<int64_t>(offset) * cie_.data_alignment;
  }

  void advance(uint64_t units) { location_ += units * cie_.code_alignment; }
  bool move() {
    location_ = pending_;
    return true;
  }

  // Registers beyond ours (vector registers) are of no interest.
  void set(uint64_t reg, RegisterKind kind, int64_t offset) {
    if (reg >= kRegisterCount) return;
    row_.kinds[reg] = kind;
    row_.values[reg].offset = offset;
  }
  void save_at(uint64_t reg, int64_t offset) { set(reg, RegisterKind::kAtCfa, offset); }

  void set_expression(ByteCursor& code, RegisterKind kind) {
    const uint64_t reg = code.read_uleb128();
    const ExpressionPointer expression = code.position();
    code.skip(code.read_uleb128());
    if (reg >= kRegisterCount) return;
    row_.kinds[reg] = kind;
    row_.values[reg].expression = expression;
  }

  void restore(uint64_t reg, bool initial) {
    if (reg >= kRegisterCount || initial) return;
    row_.kinds[reg] = scratch_.initial.kinds[reg];
    row_.values[reg] = scratch_.initial.values[reg];
  }

  void define_cfa_register(uint64_t reg) {
    row_.cfa_kind = CfaKind::kRegisterPlus;
    row_.cfa_register = reg < kRegisterCount ? static_cast<uint8_t>(reg) : kRegisterCount;
  }

  bool remember() {
    if (remembered_ == CfiScratch::kMaxRemembered) return false;
    scratch_.remembered[remembered_++] = row_;
    return true;
  }
  bool recall() {
    if (remembered_ == 0) return false;
    row_ = scratch_.remembered[--remembered_];
    return true;
  }

  const Cie& cie_;
  uintptr_t location_;
  uintptr_t pending_ = 0;
  CfiScratch& scratch_;
  UnwindRow& row_;
  int remembered_ = 0;
};

}  // namespace

CfiResult find_unwind_row(const UnwindSection& section, uintptr_t address, CfiScratch& scratch,
                          UnwindRow& row, bool& signal_frame, uintptr_t* function_start,
                          uintptr_t* function_end) {
  if (section.header == nullptr) return CfiResult::kNoInformation;
  const uint8_t* entry = search_table(section, address);
  if (entry == nullptr) return CfiResult::kNoInformation;
  Cie cie;
  Fde fde;
  if (!parse_fde(section, entry, cie, fde)) return CfiResult::kMalformed;
  if (address < fde.start || address >= fde.end) return CfiResult::kNoInformation;
  if (function_start != nullptr) *function_start = fde.start;
  if (function_end != nullptr) *function_end = fde.end;
  if (cie.return_address_register != kRegisterCount - 1) return CfiResult::kMalformed;

  row = UnwindRow{};
  signal_frame = cie.signal_frame;
  CallFrameInterpreter interpreter(cie, fde.start, scratch, row);
  if (!interpreter.run(cie.instructions, address, true)) return CfiResult::kMalformed;
  scratch.initial = row;
  if (!interpreter.run(fde.instructions, address, false)) return CfiResult::kMalformed;
  return row.cfa_kind == CfaKind::kUnset ? CfiResult::kMalformed : CfiResult::kFound;
}

}  // namespace memlens::interposer::unwind
