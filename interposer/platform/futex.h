// Waiting for a word in memory to change. By raw system call: callable from inside any hook.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>

namespace memlens::platform {

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

// What the kernel leaves in the word of a robust mutex whose owner has died.
constexpr bool owner_has_died(uint32_t word) { return (word & FUTEX_OWNER_DIED) != 0; }

}  // namespace memlens::platform
