// How x86-64 calls a function, and what a frame with a frame pointer begins with.
#pragma once

#include <cstdint>

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

}  // namespace memlens::interposer::unwind
