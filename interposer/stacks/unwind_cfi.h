// Call frame information (.eh_frame): what a function's frame looks like at one instruction.
//
// The section is what the exception machinery uses, so it is there in every program; .eh_frame_hdr
// holds a sorted table that finds a function's entry by binary search. Reading follows the Linux
// Standard Base's description of .eh_frame and DWARF 5, chapter 6.4. All reads are bounded by the
// readable segments of the module; anything odd gives "no information", never a guess.
#pragma once

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstdint>

namespace memlens::interposer::unwind {

struct ByteRange {
  const uint8_t* begin;
  const uint8_t* end;
  bool contains(const void* address) const { return address >= begin && address < end; }
};

// The program headers of a loaded object, in its own memory: however many there are.
struct LoadedSegments {
  uintptr_t load_bias;
  const ElfW(Phdr) * headers;
  int count;

  // From `address` to the end of the segment that it lies in; empty unless it is loaded from a file
  // with at least these permissions.
  ByteRange from(const void* address, unsigned permissions) const {
    for (int i = 0; i < count; ++i) {
      const ElfW(Phdr)& segment = headers[i];
      if (segment.p_type != PT_LOAD || (segment.p_flags & permissions) != permissions) continue;
      const auto* begin = reinterpret_cast<const uint8_t*>(load_bias + segment.p_vaddr);
      // Up to the file's bytes: unwind information and code are in the file.
      const ByteRange range{begin, begin + segment.p_filesz};
      if (range.contains(address)) return {static_cast<const uint8_t*>(address), range.end};
    }
    return {nullptr, nullptr};
  }
};

// Where a module keeps its unwind information.
struct UnwindSection {
  const uint8_t* header;  // .eh_frame_hdr; nullptr: the module has none
  LoadedSegments segments;

  // From `address` to the end of its readable segment; empty when it is in none.
  ByteRange from(const void* address) const { return segments.from(address, PF_R); }
};

// DWARF register numbers: 16 general registers and the return address column.
inline constexpr unsigned kRegisterCount = 17;

enum class RegisterKind : uint8_t {
  kSame,          // not changed
  kUndefined,     // lost; of the return address: the outermost frame
  kAtCfa,         // saved at CFA + value
  kIsCfaPlus,     // is CFA + value
  kInRegister,    // in register `value`
  kAtExpression,  // saved where the expression says
  kIsExpression,  // is what the expression says
};

enum class CfaKind : uint8_t { kUnset, kRegisterPlus, kExpression };

// An expression's block: uleb128 length, then the operations.
using ExpressionPointer = const uint8_t*;

struct UnwindRow {
  CfaKind cfa_kind;
  RegisterKind kinds[kRegisterCount];
  uint8_t cfa_register;
  int64_t cfa_offset;
  ExpressionPointer cfa_expression;
  union Value {
    int64_t offset;
    ExpressionPointer expression;
  } values[kRegisterCount];
};

// Room for the interpreter's own stack; large for a program's stack, so it lives with the thread.
struct CfiScratch {
  static constexpr int kMaxRemembered = 8;
  UnwindRow initial;
  UnwindRow remembered[kMaxRemembered];
};

enum class CfiResult : uint8_t {
  kFound,
  kNoInformation,  // no entry covers the address
  kMalformed,
};

// The row in force at `address` (of the instruction, not a return address behind it).
// `function_start` and `function_end`, when given, receive the entry's range.
CfiResult find_unwind_row(const UnwindSection& section, uintptr_t address, CfiScratch& scratch,
                          UnwindRow& row, bool& signal_frame, uintptr_t* function_start = nullptr,
                          uintptr_t* function_end = nullptr);

}  // namespace memlens::interposer::unwind
