// Futexes and the collector's robust mutex, by raw system call: callable from inside any hook.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>

#include "interposer/segment/layout.h"

namespace memlens::segment {

// Waits until woken, while `word` still holds `expected`, at most `timeout_ns` (0: for ever).
// May return early; sets errno. False when the time was up.
inline bool futex_wait(std::atomic<uint32_t>& word, uint32_t expected, int64_t timeout_ns) {
  timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  return syscall(SYS_futex, &word, FUTEX_WAIT, expected, timeout_ns ? &timeout : nullptr, nullptr,
                 0) == 0 ||
         errno != ETIMEDOUT;
}

// For so long at most.
inline void pause_for(int64_t ns) {
  std::atomic<uint32_t> nobody_wakes{0};
  futex_wait(nobody_wakes, 0, ns);
}

inline void futex_wake(std::atomic<uint32_t>& word, int waiters) {
  syscall(SYS_futex, &word, FUTEX_WAKE, waiters, nullptr, nullptr, 0);
}

// glibc keeps the lock word first in pthread_mutex_t; the kernel sets FUTEX_OWNER_DIED in it when
// the owner of a robust mutex dies.
inline bool collector_is_dead(const SegmentHeader* segment) {
  const auto* word = reinterpret_cast<const uint32_t*>(&segment->collector_alive);
  return (__atomic_load_n(word, __ATOMIC_RELAXED) & FUTEX_OWNER_DIED) != 0;
}

inline void wake_collector(SegmentHeader* segment) {
  if (segment->collector_asleep.load() != 0 && segment->collector_asleep.exchange(0) != 0) {
    futex_wake(segment->collector_asleep, 1);
  }
}

}  // namespace memlens::segment
