// The CPython in this process, if there is one: its functions and its layout, found by name.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/python/layout.h"

namespace memlens::interposer::python {

// CPython's PyMemAllocatorEx.
struct Allocator {
  void* context;
  void* (*malloc)(void* context, size_t bytes);
  void* (*calloc)(void* context, size_t count, size_t bytes);
  void* (*realloc)(void* context, void* block, size_t bytes);
  void (*free)(void* context, void* block);
};

// CPython's PyObjectArenaAllocator.
struct ArenaAllocator {
  void* context = nullptr;
  void* (*allocate)(void* context, size_t bytes) = nullptr;
  void (*free)(void* context, void* arena, size_t bytes) = nullptr;
};

struct Runtime {
  // All there once found() is true.
  int (*is_initialized)() = nullptr;
  void (*get_allocator)(int domain, Allocator* allocator) = nullptr;
  void (*set_allocator)(int domain, Allocator* allocator) = nullptr;
  // May be missing.
  void (*get_arena_allocator)(ArenaAllocator* allocator) = nullptr;
  void (*set_arena_allocator)(ArenaAllocator* allocator) = nullptr;
  // The state of whoever holds the GIL (to 3.11), or of this thread while it holds one (3.12+).
  void* (*current_thread_state)() = nullptr;
  // The state this thread has been given, held GIL or not.
  void* (*own_thread_state)() = nullptr;
  void* (*first_interpreter)() = nullptr;
  void* (*main_interpreter)() = nullptr;
  char* code_type = nullptr;              // PyCode_Type
  const int* initialized_flag = nullptr;  // what is_initialized() reads; nullptr: not known where
  // The same of current_thread_state().
  const void* const* current_thread_state_slot = nullptr;
  uint32_t hexversion = 0;
  unsigned minor = 0;
  char version[32] = {};  // "3.11.7"

  // Meaningful while layout_known.
  bool layout_known = false;
  Layout layout = {};
  char layout_problem[96] = {};  // why not

  bool found() const { return hexversion != 0; }
};

// Written once, under the attach lock, before the capture function is published.
extern Runtime runtime;

// Whether CPython is among the loaded modules, and may be called yet.
enum class Presence : uint8_t { kAbsent, kBeingLoaded, kThere };
Presence interpreter_presence();

// Looks for CPython among the loaded modules, which are relocated. False when it is not there. Does
// not allocate.
bool find_runtime(Runtime& found);

// "3.11.7 (main, ...)" to 0x030b07f0; 0 when it is not of that form. Pre-releases count as final.
uint32_t parse_version(const char* text);

}  // namespace memlens::interposer::python
