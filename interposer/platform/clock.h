// The tick counter: cheap, monotonic across cores, of unknown rate. The collector records pairs of
// ticks and nanoseconds, from which the reader makes seconds.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace memlens::platform {

#if defined(__x86_64__)
inline uint64_t read_ticks() { return __rdtsc(); }
#elif defined(__aarch64__)
inline uint64_t read_ticks() {
  uint64_t value;
  asm volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
}
#else
#error "memlens: no tick counter for this processor yet"
#endif

}  // namespace memlens::platform
