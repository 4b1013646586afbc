// Where longjmp goes.
#pragma once

#include <setjmp.h>

#include <cstdint>

namespace memlens::interposer {

// The stack pointer that longjmp will set; 0 where it is not known how glibc keeps it.
inline uintptr_t jump_target(const jmp_buf buffer) {
#if defined(__x86_64__)
  // The seventh register of the buffer, rotated and mixed with the thread's pointer guard.
  constexpr unsigned kStackPointer = 6;
  uint64_t mangled;
  __builtin_memcpy(&mangled, reinterpret_cast<const char*>(buffer) + kStackPointer * 8, 8);
  uint64_t guard;
  asm("mov %%fs:0x30, %0" : "=r"(guard));
  return ((mangled >> 17) | (mangled << 47)) ^ guard;
#else
  (void)buffer;
  return 0;
#endif
}

}  // namespace memlens::interposer
