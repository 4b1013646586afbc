// What a frame of the interpreter says: who called it, its code and where it is in it.
//
// Reads the interpreter's own structures, at the offsets of its version (python/known_layouts.h).
// Preconditions: the frame is one of the calling thread's, which holds the GIL where there is one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "interposer/python/known_layouts.h"
#include "interposer/python/runtime.h"

namespace memlens::interposer::python {

// The walk is compiled once for each row of the table, so that offsets are constants in it, and
// once more for an interpreter that states other offsets than its version's row.
template <size_t row>
struct CompiledLayout {
  static constexpr InstructionForm kInstructionForm = kLayouts[row].instruction_form;
  static constexpr const Layout& get() { return kLayouts[row]; }
};
template <InstructionForm form>
struct RuntimeLayout {
  static constexpr InstructionForm kInstructionForm = form;
  static const Layout& get() { return runtime.layout; }
};
using StatedLayout = RuntimeLayout<InstructionForm::kPointer>;
using StatedThreadLayout = RuntimeLayout<InstructionForm::kThreadPointer>;

constexpr bool is_pointer(InstructionForm form) {
  return form == InstructionForm::kPointer || form == InstructionForm::kThreadPointer;
}
// An instruction's address names its code as well: it lies inside the code object. Not where
// threads run copies of the code, which are freed before it is.
template <typename L>
constexpr bool kInstructionIsPlace = L::kInstructionForm == InstructionForm::kPointer;

template <typename L>
inline const char* previous_frame(const char* frame) {
  return read_field<const char*>(frame, static_cast<size_t>(L::get().frame_previous));
}

template <typename L>
inline uintptr_t frame_code(const char* frame) {
  return read_field<uintptr_t>(frame, static_cast<size_t>(L::get().frame_code));
}

template <typename L>
inline uint64_t frame_instruction(const char* frame) {
  const auto offset = static_cast<size_t>(L::get().frame_instruction);
  if (is_pointer(L::kInstructionForm)) return read_field<uint64_t>(frame, offset);
  return static_cast<uint64_t>(static_cast<int64_t>(read_field<int32_t>(frame, offset)));
}

// From 3.12 on the interpreter links frames of its own between runs of the evaluation loop.
template <typename L>
inline bool is_interpreters_own(const char* frame) {
  if (L::get().frame_owner == kAbsent) return false;
  return read_field<uint8_t>(frame, static_cast<size_t>(L::get().frame_owner)) >=
         kFirstInterpreterOwner;
}

// Where the instructions of `code` begin that the frame runs, with kThreadPointer.
//
// A list of copies that has become too short is replaced by another thread, and freed once every
// thread attached to the interpreter has passed a point outside of our calls. One that has released
// the thread state is not waited for: so the list is asked for again after it was read. Most
// threads run the original, and do not read it at all.
template <typename L>
inline uintptr_t thread_instructions(const char* frame, uintptr_t code, uint64_t instruction) {
  const Layout& layout = L::get();
  const uintptr_t original = code + static_cast<uintptr_t>(layout.code_instructions);
  const auto* object = reinterpret_cast<const char*>(code);
  const auto units = read_field<int64_t>(object, static_cast<size_t>(layout.objects.count));
  if (instruction - original < static_cast<uint64_t>(units) * kCodeUnitBytes) {
    return original;
  }
  const auto index = read_field<int32_t>(frame, static_cast<size_t>(layout.frame_bytecode_index));
  const auto list_of = [&] {
    return std::atomic_ref(*const_cast<const char**>(reinterpret_cast<const char* const*>(
                               object + layout.code_thread_bytecode)))
        .load(std::memory_order_acquire);
  };
  for (const char* list = list_of(); list != nullptr;) {
    const auto count = read_field<int64_t>(list, 0);
    const uintptr_t copy =
        index < 0 || index >= count
            ? 0
            : read_field<uintptr_t>(
                  list, kBytecodeArrayEntries + static_cast<size_t>(index) * sizeof(uintptr_t));
    const char* const now = list_of();
    if (now == list) {
      const uint64_t bytes = static_cast<uint64_t>(units) * kCodeUnitBytes;
      return copy != 0 && instruction - copy < bytes ? copy : UINTPTR_MAX;
    }
    list = now;
  }
  return UINTPTR_MAX;
}

// 0: the frame has not begun to run.
template <typename L>
inline uint32_t instruction_offset_plus_1(const char* frame, uintptr_t code, uint64_t instruction) {
  auto offset = static_cast<int64_t>(instruction);
  code &= L::get().code_mask;
  if (L::kInstructionForm == InstructionForm::kUnitOffset) offset *= 2;
  if (L::kInstructionForm == InstructionForm::kPointer) {
    offset -= static_cast<int64_t>(code + static_cast<uintptr_t>(L::get().code_instructions));
  }
  if constexpr (L::kInstructionForm == InstructionForm::kThreadPointer) {
    const uintptr_t start = thread_instructions<L>(frame, code, instruction);
    if (start == UINTPTR_MAX) return 0;
    offset -= static_cast<int64_t>(start);
  }
  return offset < 0 || offset > INT32_MAX ? 0 : static_cast<uint32_t>(offset) + 1;
}

template <typename L>
inline const char* innermost_frame(const void* thread_state) {
  if (thread_state == nullptr) return nullptr;
  const auto* frame =
      read_field<const char*>(thread_state, static_cast<size_t>(L::get().thread_frame));
  if (L::get().cframe_current == kAbsent || frame == nullptr) return frame;
  return read_field<const char*>(frame, static_cast<size_t>(L::get().cframe_current));
}

}  // namespace memlens::interposer::python
