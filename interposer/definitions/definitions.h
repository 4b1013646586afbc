// Strings, code objects and stack nodes: defined once in the process's metadata, then named by id.
//
// All of these may be called from inside a hook on any thread. None allocates outside private
// memory; none calls into the program. A definition is complete in shared memory before its id is
// returned, so no event can refer to something the collector has not got. They return 0 (kRootNode
// for nodes) when recording is off, and an "[... table full]" label node beyond the table's limit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/format/heap.h"
#include "interposer/format/metadata_records.h"

namespace memlens::interposer {

// Interned by content: the same bytes give the same id.
uint32_t define_string(const char* bytes, size_t size_bytes);

struct CodeDescription {
  const char* filename;
  size_t filename_bytes;
  const char* qualified_name;
  size_t qualified_name_bytes;
  uint32_t first_line;
  const char* line_table;
  size_t line_table_bytes;
  format::LineTableFormat line_table_format;
};

// Interned by content, so that code compiled again and again (eval in a loop) has one id.
uint32_t define_code(const CodeDescription& code);

// A frame on top of `parent`. Lock-free when the node is known.
uint32_t intern_python_node(uint32_t parent, uint32_t code_id, uint32_t instruction_offset_plus_1);
uint32_t intern_native_node(uint32_t parent, uint64_t address);
uint32_t intern_label_node(uint32_t parent, const char* label);
// A task whose coroutine runs `code_id`; `name`: a string's id, 0 when nobody named it.
uint32_t intern_task_node(uint32_t parent, uint32_t code_id, uint32_t name);

// Module ids count up from 1.
uint32_t define_module(uint64_t load_bias, uint64_t start, uint64_t end, const char* path,
                       const void* build_id, size_t build_id_bytes);
void define_module_end(uint32_t module_id);

void define_python(uint32_t minor, uint32_t hexversion, const char* version, const char* how);
// A heap of its own space 0 (format/heap.h), and a function that allocates from it.
void define_heap(uint32_t heap_id, format::HeapFamily family, const char* name);
void define_heap_function(format::AllocationKind kind, uint32_t heap_id, const char* name);
void define_diagnostic(format::DiagnosticCode code, const char* text);
// A moment the program names; thread_index 0: by a thread without events.
void define_mark(uint32_t thread_index, const char* name, size_t name_bytes);
void define_profiled_function(const char* file, const char* name, uint32_t first_line,
                              uint32_t line_count);
// With the kernel's name of the calling thread, and with a given one.
void define_thread(uint32_t thread_index, int32_t thread_id);
void define_thread_name(uint32_t thread_index, int32_t thread_id, const char* name);
void define_thread_end(uint32_t thread_index);

// In a forked child, and before another session: all of the above was the parent's, or the last
// session's. Nobody else is inside.
void drop_definitions();

}  // namespace memlens::interposer
