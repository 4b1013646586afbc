// How x86-64 calls a function, and what a frame with a frame pointer begins with.
#pragma once

#include <cstdint>
#include <cstring>

namespace memlens::interposer::unwind {

inline constexpr uintptr_t kStackWord = 8;

// Where the return address lies that leads to the frame whose stack pointer, after the return, is
// `outer_stack_pointer` (the CFA of the frame within).
constexpr uintptr_t return_slot_of(uintptr_t outer_stack_pointer) {
  return outer_stack_pointer - kStackWord;
}

// A frame pointer points to the caller's, which lies below the return address.
constexpr uintptr_t outer_frame_slot_of(uintptr_t frame_pointer) { return frame_pointer; }
constexpr uintptr_t return_slot_of_frame(uintptr_t frame_pointer) {
  return frame_pointer + kStackWord;
}
constexpr uintptr_t outer_stack_of_frame(uintptr_t frame_pointer) {
  return frame_pointer + 2 * kStackWord;
}

// Whether the instruction that ends at `end` is a call. Precondition: kLongestCall bytes before it
// can be read.
inline constexpr uintptr_t kLongestCall = 7;
inline bool is_call_before(const uint8_t* end) {
  if (end[-5] == 0xe8) return true;  // call rel32
  // ff /2: an indirect call through a register or memory, two to seven bytes long.
  for (int length = 2; length <= static_cast<int>(kLongestCall); ++length) {
    if (end[-length] == 0xff && (end[-length + 1] & 0x38) == 0x10) return true;
  }
  return false;
}

// CPython's trampoline for profilers (-X perf), a copy of it a function, around the instruction
// that its call returns to. Precondition: kTrampolineBytesBefore before `end`, and
// kTrampolineBytesAfter from it on, can be read.
enum class Trampoline : uint8_t { kNone, kWithoutFrame, kWithFrame };
inline constexpr uintptr_t kTrampolineBytesBefore = 6;
inline constexpr uintptr_t kTrampolineBytesAfter = 5;
inline Trampoline trampoline_at(const uint8_t* end) {
  const auto is = [end](int at, const char* code, size_t bytes) {
    return std::memcmp(end + at, code, bytes) == 0;
  };
  // To 3.13: sub $8, %rsp; call *%rcx; add $8, %rsp; ret
  if (is(-6, "\x48\x83\xec\x08\xff\xd1", 6) && is(0, "\x48\x83\xc4\x08\xc3", 5)) {
    return Trampoline::kWithoutFrame;
  }
  // Later: push %rbp; mov %rsp, %rbp; call *%rcx; pop %rbp; ret
  if (is(-6, "\x55\x48\x89\xe5\xff\xd1", 6) && is(0, "\x5d\xc3", 2)) return Trampoline::kWithFrame;
  return Trampoline::kNone;
}

// In both, the word at the stack pointer is the trampoline's own (or the caller's frame pointer),
// and above it lies the return address.
constexpr uintptr_t return_slot_of_trampoline(uintptr_t stack_pointer) {
  return stack_pointer + kStackWord;
}
constexpr uintptr_t outer_stack_of_trampoline(uintptr_t stack_pointer) {
  return stack_pointer + 2 * kStackWord;
}

}  // namespace memlens::interposer::unwind
