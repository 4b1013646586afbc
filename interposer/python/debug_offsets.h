// What CPython 3.13 and newer say about their own structs, at the start of _PyRuntime.
//
// The table is versioned by the interpreter's own version, so there is a struct a minor version,
// and a newer one than those below is unknown: fields have been inserted in the middle before.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/python/layout.h"

namespace memlens::interposer::python {

inline constexpr char kDebugOffsetsCookie[] = "xdebugpy";

struct DebugOffsetsHead {
  char cookie[8];
  uint64_t hexversion;
  uint64_t free_threaded;
};

struct DebugOffsets313 {
  DebugOffsetsHead head;
  struct {
    uint64_t size, finalizing, interpreters_head;
  } runtime;
  struct {
    uint64_t size, id, next, threads_head, gc, imports_modules, sysdict, builtins, ceval_gil,
        gil_state, gil_enabled, gil_locked, gil_holder;
  } interpreter;
  struct {
    uint64_t size, previous, next, interpreter, current_frame, thread_id, native_thread_id,
        datastack_chunk, status;
  } thread;
  struct {
    uint64_t size, previous, executable, instruction, localsplus, owner;
  } frame;
  struct {
    uint64_t size, filename, name, qualified_name, line_table, first_line, argument_count,
        localsplus_names, localsplus_kinds, instructions;
  } code;
  struct {
    uint64_t size, type;
  } object;
  struct {
    uint64_t size, name, repr, flags;
  } type;
  struct {
    uint64_t size, items, count;
  } tuple, list;
  struct {
    uint64_t size, keys, values;
  } dict;
  struct {
    uint64_t size, value;
  } real;
  struct {
    uint64_t size, tag, digits;
  } integer;
  struct {
    uint64_t size, count, data;
  } bytes;
  struct {
    uint64_t size, state, length, ascii_size;
  } text;
};

struct DebugOffsets314 {
  DebugOffsetsHead head;
  struct {
    uint64_t size, finalizing, interpreters_head;
  } runtime;
  struct {
    uint64_t size, id, next, threads_head, threads_main, gc, imports_modules, sysdict, builtins,
        ceval_gil, gil_state, gil_enabled, gil_locked, gil_holder, code_object_generation,
        bytecode_generation;
  } interpreter;
  struct {
    uint64_t size, previous, next, interpreter, current_frame, thread_id, native_thread_id,
        datastack_chunk, status;
  } thread;
  struct {
    uint64_t size, previous, executable, instruction, localsplus, owner, stack_pointer,
        bytecode_index;
  } frame;
  struct {
    uint64_t size, filename, name, qualified_name, line_table, first_line, argument_count,
        localsplus_names, localsplus_kinds, instructions, thread_bytecode;
  } code;
  struct {
    uint64_t size, type;
  } object;
  struct {
    uint64_t size, name, repr, flags;
  } type;
  struct {
    uint64_t size, items, count;
  } tuple, list;
  struct {
    uint64_t size, used, table, mask;
  } set;
  struct {
    uint64_t size, keys, values;
  } dict;
  struct {
    uint64_t size, value;
  } real;
  struct {
    uint64_t size, tag, digits;
  } integer;
  struct {
    uint64_t size, count, data;
  } bytes;
  struct {
    uint64_t size, state, length, ascii_size;
  } text;
};

struct DebugOffsets315 {
  DebugOffsetsHead head;
  struct {
    uint64_t size, finalizing, interpreters_head;
  } runtime;
  struct {
    uint64_t size, id, next, threads_head, threads_main, gc, imports_modules, sysdict, builtins,
        ceval_gil, gil_state, gil_enabled, gil_locked, gil_holder, code_object_generation,
        bytecode_generation;
  } interpreter;
  struct {
    uint64_t size, previous, next, interpreter, current_frame, base_frame, last_profiled_frame,
        last_profiled_sequence, thread_id, native_thread_id, datastack_chunk, status, holds_gil,
        gil_requested, current_exception, exception_state;
  } thread;
  struct {
    uint64_t value;
  } exception_item;
  struct {
    uint64_t size, previous, executable, instruction, localsplus, owner, stack_pointer,
        bytecode_index;
  } frame;
  struct {
    uint64_t size, filename, name, qualified_name, line_table, first_line, argument_count,
        localsplus_names, localsplus_kinds, instructions, thread_bytecode;
  } code;
  struct {
    uint64_t size, type;
  } object;
  struct {
    uint64_t size, name, repr, flags, basic_size, dict_offset;
  } type;
  struct {
    uint64_t size, cached_keys;
  } heap_type;
  struct {
    uint64_t size, items, count;
  } tuple, list;
  struct {
    uint64_t size, used, table, mask;
  } set;
  struct {
    uint64_t size, keys, values;
  } dict;
  struct {
    uint64_t size, value;
  } real;
  struct {
    uint64_t size, tag, digits;
  } integer;
  struct {
    uint64_t size, count, data;
  } bytes;
  struct {
    uint64_t size, state, length, ascii_size;
  } text;
};

// Alphas and betas, which still move fields; a release candidate does not.
bool is_pre_release(uint32_t hexversion);

// Whether an interpreter that states its offsets at `runtime` is a free-threaded build.
bool is_free_threaded(const void* runtime);

// Reads the table at `runtime` (the address of _PyRuntime) of an interpreter that says it is
// `hexversion`. False when there is none, when it is of another version, or when what it says
// cannot be.
bool read_debug_offsets(const void* runtime, uint32_t hexversion, Layout& layout);

}  // namespace memlens::interposer::python
