// Where CPython keeps what a stack walk needs: offsets into its structs, one row a version.
//
// CPython is never included: a program brings whatever interpreter it likes, and these numbers are
// all that is known of it. Rows were read off each version's own headers, which
// tests/python_stacks/layouts_test.py repeats with every interpreter's headers found on a machine.
// From 3.13 on the interpreter states the offsets itself (debug_offsets.h); its statement wins, and
// a row is then only what the walker has been compiled for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/format/metadata_records.h"

namespace memlens::interposer::python {

static_assert(sizeof(void*) == 8, "the rows are those of 64-bit interpreters");

inline constexpr int16_t kAbsent = -1;

// How far a frame's instruction is into its code.
enum class InstructionForm : uint8_t {
  kByteOffset,  // int, bytes
  kUnitOffset,  // int, units of two bytes
  kPointer,     // pointer into the code object's own instructions
};

struct Layout {
  uint16_t minor;

  // PyThreadState. Where `cframe_current` exists, `thread_frame` leads to a _PyCFrame, whose field
  // that is; else to the innermost frame.
  int16_t thread_id;
  int16_t thread_frame;
  int16_t cframe_current;

  // _PyInterpreterFrame, or PyFrameObject up to 3.10.
  int16_t frame_previous;
  int16_t frame_code;
  int16_t frame_instruction;
  int16_t frame_owner;     // one byte; 3 and above: the interpreter's own, no Python code
  int16_t frame_is_entry;  // one byte, 3.11 alone: the evaluation loop was entered with this frame
  InstructionForm instruction_form;
  uintptr_t code_mask;  // 3.14 tags the low bits of references

  // PyCodeObject.
  int16_t code_filename;
  int16_t code_name;
  int16_t code_qualified_name;
  int16_t code_first_line;
  int16_t code_line_table;
  int16_t code_instructions;  // with InstructionForm::kPointer
  format::LineTableFormat line_table_format;

  // _PyRuntimeState.initialized, an int: what Py_IsInitialized() returns.
  int16_t runtime_initialized;
  // _PyRuntimeState.gilstate.tstate_current, to 3.11: what _PyThreadState_UncheckedGet() returns.
  int16_t runtime_thread_state;

  // str. A compact one's text follows its header; else a pointer to it does.
  int16_t text_ascii;
  int16_t text_compact;

  // tp_basicsize of these types: what tells one layout from another at run time.
  int16_t code_basic_size;
  int16_t frame_basic_size;
  int16_t text_basic_size;

  bool operator==(const Layout&) const = default;
};

inline constexpr Layout kLayouts[] = {
    {.minor = 8,
     .thread_id = 176,
     .thread_frame = 24,
     .cframe_current = kAbsent,
     .frame_previous = 24,
     .frame_code = 32,
     .frame_instruction = 104,
     .frame_owner = kAbsent,
     .frame_is_entry = kAbsent,
     .instruction_form = InstructionForm::kByteOffset,
     .code_mask = ~uintptr_t{0},
     .code_filename = 104,
     .code_name = 112,
     .code_qualified_name = kAbsent,
     .code_first_line = 40,
     .code_line_table = 120,
     .code_instructions = kAbsent,
     .line_table_format = format::LineTableFormat::kLnotab,
     .runtime_initialized = 12,
     .runtime_thread_state = 1368,
     .text_ascii = 48,
     .text_compact = 72,
     .code_basic_size = 176,
     .frame_basic_size = 368,
     .text_basic_size = 80},
    {.minor = 9,
     .thread_id = 176,
     .thread_frame = 24,
     .cframe_current = kAbsent,
     .frame_previous = 24,
     .frame_code = 32,
     .frame_instruction = 104,
     .frame_owner = kAbsent,
     .frame_is_entry = kAbsent,
     .instruction_form = InstructionForm::kByteOffset,
     .code_mask = ~uintptr_t{0},
     .code_filename = 104,
     .code_name = 112,
     .code_qualified_name = kAbsent,
     .code_first_line = 40,
     .code_line_table = 120,
     .code_instructions = kAbsent,
     .line_table_format = format::LineTableFormat::kLnotab,
     .runtime_initialized = 12,
     .runtime_thread_state = 568,
     .text_ascii = 48,
     .text_compact = 72,
     .code_basic_size = 176,
     .frame_basic_size = 368,
     .text_basic_size = 80},
    {.minor = 10,
     .thread_id = 176,
     .thread_frame = 24,
     .cframe_current = kAbsent,
     .frame_previous = 24,
     .frame_code = 32,
     .frame_instruction = 96,
     .frame_owner = kAbsent,
     .frame_is_entry = kAbsent,
     .instruction_form = InstructionForm::kUnitOffset,
     .code_mask = ~uintptr_t{0},
     .code_filename = 104,
     .code_name = 112,
     .code_qualified_name = kAbsent,
     .code_first_line = 40,
     .code_line_table = 120,
     .code_instructions = kAbsent,
     .line_table_format = format::LineTableFormat::kLinetable310,
     .runtime_initialized = 12,
     .runtime_thread_state = 568,
     .text_ascii = 48,
     .text_compact = 72,
     .code_basic_size = 176,
     .frame_basic_size = 360,
     .text_basic_size = 80},
    {.minor = 11,
     .thread_id = 152,
     .thread_frame = 56,
     .cframe_current = 8,
     .frame_previous = 48,
     .frame_code = 32,
     .frame_instruction = 56,
     .frame_owner = 69,
     .frame_is_entry = 68,
     .instruction_form = InstructionForm::kPointer,
     .code_mask = ~uintptr_t{0},
     .code_filename = 112,
     .code_name = 120,
     .code_qualified_name = 128,
     .code_first_line = 72,
     .code_line_table = 136,
     .code_instructions = 184,
     .line_table_format = format::LineTableFormat::kLocations311,
     .runtime_initialized = 16,
     .runtime_thread_state = 576,
     .text_ascii = 48,
     .text_compact = 72,
     .code_basic_size = 184,
     .frame_basic_size = 120,
     .text_basic_size = 80},
    {.minor = 12,
     .thread_id = 136,
     .thread_frame = 56,
     .cframe_current = 0,
     .frame_previous = 8,
     .frame_code = 0,
     .frame_instruction = 56,
     .frame_owner = 70,
     .frame_is_entry = kAbsent,
     .instruction_form = InstructionForm::kPointer,
     .code_mask = ~uintptr_t{0},
     .code_filename = 112,
     .code_name = 120,
     .code_qualified_name = 128,
     .code_first_line = 68,
     .code_line_table = 136,
     .code_instructions = 192,
     .line_table_format = format::LineTableFormat::kLocations311,
     .runtime_initialized = 16,
     .runtime_thread_state = kAbsent,
     .text_ascii = 40,
     .text_compact = 56,
     .code_basic_size = 192,
     .frame_basic_size = 120,
     .text_basic_size = 64},
    {.minor = 13,
     .thread_id = 152,
     .thread_frame = 72,
     .cframe_current = kAbsent,
     .frame_previous = 8,
     .frame_code = 0,
     .frame_instruction = 56,
     .frame_owner = 70,
     .frame_is_entry = kAbsent,
     .instruction_form = InstructionForm::kPointer,
     .code_mask = ~uintptr_t{0},
     .code_filename = 112,
     .code_name = 120,
     .code_qualified_name = 128,
     .code_first_line = 68,
     .code_line_table = 136,
     .code_instructions = 200,
     .line_table_format = format::LineTableFormat::kLocations311,
     .runtime_initialized = 600,
     .runtime_thread_state = kAbsent,
     .text_ascii = 40,
     .text_compact = 56,
     .code_basic_size = 200,
     .frame_basic_size = 136,
     .text_basic_size = 64},
    {.minor = 14,
     .thread_id = 152,
     .thread_frame = 72,
     .cframe_current = kAbsent,
     .frame_previous = 8,
     .frame_code = 0,
     .frame_instruction = 56,
     .frame_owner = 74,
     .frame_is_entry = kAbsent,
     .instruction_form = InstructionForm::kPointer,
     .code_mask = ~uintptr_t{7},
     .code_filename = 112,
     .code_name = 120,
     .code_qualified_name = 128,
     .code_first_line = 68,
     .code_line_table = 136,
     .code_instructions = 208,
     .line_table_format = format::LineTableFormat::kLocations311,
     .runtime_initialized = kAbsent,
     .runtime_thread_state = kAbsent,
     .text_ascii = 40,
     .text_compact = 56,
     .code_basic_size = 208,
     .frame_basic_size = 152,
     .text_basic_size = 64},
};
inline constexpr size_t kLayoutCount = sizeof kLayouts / sizeof kLayouts[0];

// The row of a version, or nullptr.
constexpr const Layout* find_layout(unsigned minor) {
  for (const Layout& layout : kLayouts) {
    if (layout.minor == minor) return &layout;
  }
  return nullptr;
}

// The first versions that state their offsets themselves.
inline constexpr unsigned kFirstSelfDescribingMinor = 13;

// ---- what every 64-bit build of 3.8 and newer shares (not the free-threaded ones)
inline constexpr size_t kObjectType = 8;      // PyObject.ob_type
inline constexpr size_t kVarObjectSize = 16;  // PyVarObject.ob_size
inline constexpr size_t kTypeBasicSize = 32;  // PyTypeObject.tp_basicsize
inline constexpr size_t kTypeDealloc = 48;    // PyTypeObject.tp_dealloc
inline constexpr size_t kTypeFlags = 168;     // PyTypeObject.tp_flags
inline constexpr uint64_t kTypeFlagBytes = uint64_t{1} << 27;
inline constexpr uint64_t kTypeFlagText = uint64_t{1} << 28;
inline constexpr size_t kBytesData = 32;   // PyBytesObject.ob_sval
inline constexpr size_t kTextLength = 16;  // PyASCIIObject.length, in characters
inline constexpr size_t kTextState = 32;   // PyASCIIObject.state
inline constexpr unsigned kTextKindShift = 2;
inline constexpr uint32_t kTextKindMask = 7;  // bytes a character: 1, 2, 4; 0: not made ready
inline constexpr uint32_t kTextCompact = 0x20;
inline constexpr uint32_t kTextAscii = 0x40;
// Owners from this value on are frames the interpreter puts between runs of the evaluation loop.
inline constexpr uint8_t kFirstInterpreterOwner = 3;

// An unaligned-safe, alias-safe read of a field.
template <typename Field>
inline Field read_field(const void* object, size_t offset) {
  Field value;
  __builtin_memcpy(&value, static_cast<const char*>(object) + offset, sizeof value);
  return value;
}

}  // namespace memlens::interposer::python
