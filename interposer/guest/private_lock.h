// A futex lock for our own tables. It is never held across a call into the program or its
// allocator.
//
// Two things can go wrong inside someone else's process, and neither may hang it: the holder is
// left for good (a signal handler jumps out of it, a vfork child that shares our memory is killed),
// or it does not go on for long (stopped by a debugger, ended by a raw system call).
//
// Taken within the outermost HookScope of a thread, or before there are hooks: a signal handler
// that interrupts the holder is a nested call and does not get here. So a thread that finds the
// lock held by itself has left that holder, and takes it over. Another's is waited for two seconds;
// then lock() fails, and does so at once from there on until the holder lets go. The caller falls
// back to an answer that needs no table.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "interposer/platform/futex.h"

namespace memlens::interposer {

class PrivateLock {
 public:
  // `thread` identifies the calling thread (the address of a thread-local).
  bool lock(const void* thread) {
    uint32_t expected = kFree;
    if (!word_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire) &&
        !lock_contended(thread)) {
      return false;
    }
    owner_.store(thread, std::memory_order_relaxed);
    return true;
  }

  void unlock() {
    owner_.store(nullptr, std::memory_order_relaxed);
    given_up_.store(false, std::memory_order_relaxed);
    if (word_.exchange(kFree, std::memory_order_release) == kContended) {
      const int saved_errno = errno;
      platform::futex_wake(word_, 1);
      errno = saved_errno;
    }
  }

  // In a forked child: whoever held it is gone.
  void reset() {
    owner_.store(nullptr, std::memory_order_relaxed);
    given_up_.store(false, std::memory_order_relaxed);
    word_.store(kFree, std::memory_order_relaxed);
  }

 private:
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2;
  static constexpr int kRounds = 40;
  static constexpr int64_t kRoundNs = 50'000'000;

  bool lock_contended(const void* thread) {
    if (owner_.load(std::memory_order_relaxed) == thread) return true;
    const int saved_errno = errno;
    bool taken = false;
    for (int timeouts = 0; !taken;) {
      if (word_.exchange(kContended, std::memory_order_acquire) == kFree) {
        taken = true;
      } else if (timeouts == kRounds || given_up_.load(std::memory_order_relaxed)) {
        given_up_.store(true, std::memory_order_relaxed);
        break;
      } else if (!platform::futex_wait(word_, kContended, kRoundNs)) {
        ++timeouts;
      }
    }
    errno = saved_errno;
    return taken;
  }

  std::atomic<uint32_t> word_{kFree};
  std::atomic<bool> given_up_{false};  // somebody has waited in vain for who holds it now
  std::atomic<const void*> owner_{nullptr};
};

}  // namespace memlens::interposer
