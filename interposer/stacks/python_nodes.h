// The node of a Python frame: which code it runs and where in it, on top of its caller's node.
//
// Two caches of the thread's stand in front of the process's tables: the code objects met last, and
// the places met last with what they were called from.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/definitions/definitions.h"
#include "interposer/python/code_table.h"
#include "interposer/python/interpreter_frame.h"
#include "interposer/python/runtime.h"
#include "interposer/stacks/python_stack.h"

namespace memlens::interposer {

// 0 when it cannot be told (recording is off) or is no code object.
inline uint32_t cached_code_id(PythonStackState& state, uintptr_t code) {
  static_assert(PythonStackState::kCodeEntries == 1u << 9);
  const uint32_t hash = static_cast<uint32_t>(code >> 4) * 0x9E3779B1u;
  PythonStackState::CodeEntry& entry = state.codes[hash >> 23];
  if (entry.code == code && entry.generation == state.generation) return entry.id;
  const auto* object = reinterpret_cast<const void*>(code);
  if (object == nullptr || python::read_field<const char*>(
                               object, static_cast<size_t>(python::runtime.layout.objects.type)) !=
                               python::runtime.code_type) {
    return 0;
  }
  const uint32_t id = python::code_id_of(object);
  if (id != 0) entry = {code, state.generation, id};
  return id;
}

// 0: one of the interpreter's own, or it cannot be told (recording is off).
template <typename L>
uint32_t resolve_code(PythonStackState& state, const char* frame, uintptr_t code) {
  if (python::is_interpreters_own<L>(frame)) return 0;
  const uint32_t id = cached_code_id(state, code & L::get().code_mask);
  return id == python::kHiddenCode ? 0 : id;
}

inline constexpr unsigned kGenerationBits = 16;  // in a key, above the 48 bits of an address

// Of a frame: where it is, and what it runs.
struct Activation {
  const char* frame;
  uint64_t instruction;
};

inline const char* frame_at(const PythonStackState& state, uint32_t position) {
  return state.links[position + 1].previous;
}
inline Activation activation_at(const PythonStackState& state, uint32_t position) {
  return {frame_at(state, position), state.links[position].instruction};
}

// What tells a frame's place from all others. An instruction's address does so alone, while its
// code object lives; the code need not be looked up then.
template <typename L>
uint64_t place_key(const PythonStackState& state, const Activation& at, const PythonFrame& entry) {
  if (python::kInstructionIsPlace<L>) {
    return at.instruction ^ static_cast<uint64_t>(state.generation) << (64 - kGenerationBits);
  }
  return static_cast<uint64_t>(entry.code_id) << 32 |
         python::instruction_offset_plus_1<L>(at.frame, entry.code, at.instruction);
}

template <typename L>
__attribute__((noinline)) uint32_t intern_new_place(PythonStackState& state, Activation at,
                                                    PythonFrame& entry, uint32_t parent,
                                                    PythonStackState::InternEntry& cached) {
  if (entry.code_id == kUnresolvedCode) {
    entry.code_id = resolve_code<L>(state, at.frame, entry.code);
    if (entry.code_id == 0) return parent;
  }
  const uint32_t node = intern_python_node(
      parent, entry.code_id,
      python::instruction_offset_plus_1<L>(at.frame, entry.code, at.instruction));
  if (node != format::kRootNode) cached = {place_key<L>(state, at, entry), parent, node};
  return node;
}

// The node of a frame on top of `parent`; the parent itself for one of the interpreter's own.
template <typename L>
uint32_t intern_frame(PythonStackState& state, Activation at, PythonFrame& entry, uint32_t parent) {
  if (!python::kInstructionIsPlace<L> && entry.code_id == kUnresolvedCode) {
    entry.code_id = resolve_code<L>(state, at.frame, entry.code);
  }
  if (python::is_interpreters_own<L>(at.frame)) entry.code_id = 0;
  if (entry.code_id == 0) return entry.node = parent;
  const uint64_t key = place_key<L>(state, at, entry);
  const uint64_t hash = key * 0x9E3779B97F4A7C15u + parent * 0xC2B2AE3D27D4EB4Fu;
  static_assert(PythonStackState::kInternEntries == 1u << 12);
  PythonStackState::InternEntry& cached = state.interned[hash >> (64 - 12)];
  if (__builtin_expect(cached.key == key && cached.parent == parent && cached.node != 0, 1)) {
    return entry.node = cached.node;
  }
  return entry.node = intern_new_place<L>(state, at, entry, parent, cached);
}

}  // namespace memlens::interposer
