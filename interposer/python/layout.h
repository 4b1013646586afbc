// Where CPython keeps what a stack walk needs: offsets into its structs, one row a version.
//
// CPython is never included: a program brings whatever interpreter it likes, and these numbers are
// all that is known of it. Rows were read off each version's own headers, which
// tests/python_stacks/layouts_test.py repeats with every interpreter's headers found on a machine.
// From 3.13 on the interpreter states the offsets itself (debug_offsets.h); its statement wins, and
// a row (known_layouts.h) is then only what the walker has been compiled for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/format/metadata_records.h"

namespace memlens::interposer::python {

static_assert(sizeof(void*) == 8, "the rows are those of 64-bit interpreters");

inline constexpr int16_t kAbsent = -1;

// How far a frame's instruction is into its code.
enum class InstructionForm : uint8_t {
  kByteOffset,     // int, bytes
  kUnitOffset,     // int, units of two bytes
  kPointer,        // pointer into the code object's own instructions
  kThreadPointer,  // pointer into the copy of them that the frame's thread runs
};

// The heads of objects, and of the types a walk reads. Two kinds: free-threaded builds have an
// owner, a lock and two reference counts in front of each object's type.
struct ObjectLayout {
  int16_t type;             // PyObject.ob_type
  int16_t count;            // PyVarObject.ob_size
  int16_t type_basic_size;  // PyTypeObject.tp_basicsize
  int16_t type_dealloc;     // PyTypeObject.tp_dealloc
  int16_t type_flags;       // PyTypeObject.tp_flags
  int16_t type_base;        // PyTypeObject.tp_base
  int16_t bytes_data;       // PyBytesObject.ob_sval
  int16_t text_length;      // PyASCIIObject.length, in characters
  int16_t text_state;       // PyASCIIObject.state
  // In the state: 3 bits of kind, then one that says compact, then one that says ASCII.
  int16_t text_kind_shift;

  bool operator==(const ObjectLayout&) const = default;
};
inline constexpr ObjectLayout kObjects{.type = 8,
                                       .count = 16,
                                       .type_basic_size = 32,
                                       .type_dealloc = 48,
                                       .type_flags = 168,
                                       .type_base = 256,
                                       .bytes_data = 32,
                                       .text_length = 16,
                                       .text_state = 32,
                                       .text_kind_shift = 2};
constexpr ObjectLayout free_threaded_objects(int16_t text_kind_shift) {
  return {.type = 24,
          .count = 32,
          .type_basic_size = 48,
          .type_dealloc = 64,
          .type_flags = 184,
          .type_base = 272,
          .bytes_data = 48,
          .text_length = 32,
          .text_state = 48,
          .text_kind_shift = text_kind_shift};
}

// From a frame to the asyncio task it is the coroutine of (running_task.h).
struct TaskLayout {
  int16_t frame_locals;               // the first of a frame's local variables
  int16_t frame_generator = kAbsent;  // to 3.10: PyFrameObject.f_gen
  int16_t generator_frame = kAbsent;  // from 3.11 on: where in a generator its frame is
  int16_t thread_bytes = kAbsent;     // from 3.14 on: sizeof(PyThreadState), after which is ...
  int16_t thread_task = kAbsent;      // ... _PyThreadStateImpl.asyncio_running_task

  bool operator==(const TaskLayout&) const = default;
};

struct Layout {
  uint16_t minor;
  bool free_threaded = false;
  ObjectLayout objects = kObjects;
  TaskLayout tasks;

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
  int16_t frame_bytecode_index = kAbsent;  // with InstructionForm::kThreadPointer: an int
  uintptr_t code_mask;                     // 3.14 tags the low bits of references

  // PyCodeObject.
  int16_t code_filename;
  int16_t code_name;
  int16_t code_qualified_name;
  int16_t code_first_line;
  int16_t code_line_table;
  int16_t code_instructions;               // where they are of the code object itself
  int16_t code_thread_bytecode = kAbsent;  // with kThreadPointer: a _PyCodeArray, one for a thread
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

// The first versions that state their offsets themselves.
inline constexpr unsigned kFirstSelfDescribingMinor = 13;

// ---- what every 64-bit build of 3.8 and newer shares
inline constexpr uint64_t kTypeFlagBytes = uint64_t{1} << 27;
inline constexpr uint64_t kTypeFlagText = uint64_t{1} << 28;
inline constexpr uint32_t kTextKindMask = 7;  // bytes a character: 1, 2, 4; 0: not made ready
// Above the kind's lowest bit, ObjectLayout::text_kind_shift.
inline constexpr uint32_t kTextCompact = 0x8;
inline constexpr uint32_t kTextAscii = 0x10;
inline constexpr size_t kBytecodeArrayEntries = 8;  // _PyCodeArray.entries
inline constexpr uint32_t kCodeUnitBytes = 2;
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
