// The two clocks. The tick counter is cheap, monotonic across cores, of unknown rate; the collector
// records pairs of ticks and nanoseconds, from which the reader makes seconds.
#pragma once

#include <time.h>

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

// The kernel's clock that never goes back, in nanoseconds.
inline int64_t monotonic_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
}

// CPU time of the calling thread.
inline int64_t thread_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

}  // namespace memlens::platform
