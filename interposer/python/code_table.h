// Which code object stands at which address, and by what id the capture knows it.
//
// A code object's address is used again after it is freed, so the type's tp_dealloc is wrapped:
// a freed code object leaves the table and raises the generation, which every per-thread cache of
// addresses is checked against. Ids are interned by content, so a program that compiles the same
// text for ever has one.
#pragma once

#include <atomic>
#include <cstdint>

namespace memlens::interposer::python {

// Raised whenever an address may have come to mean another code object. Starts at 1, so that zeroed
// caches hold nothing valid.
extern std::atomic<uint32_t> code_generation;

// Code the interpreter runs for itself, which no traceback shows.
inline constexpr uint32_t kHiddenCode = 0xfffffffe;

// The id of the code object at `code`, defined in the capture at first sight; 0 when recording is
// off; or kHiddenCode. `code` is alive: on the stack of the calling thread. Any thread, no
// allocation outside private memory.
uint32_t code_id_of(const void* code);

// Wraps tp_dealloc of PyCode_Type. `executing(code)` tells whether the calling thread's innermost
// frame runs that code.
void watch_code_objects(char* code_type, bool (*executing)(const void* code));

// In a forked child or another session: ids are per process and session.
void forget_code_objects();

// How many are known, for tests and diagnostics.
uint32_t known_code_objects();

}  // namespace memlens::interposer::python
