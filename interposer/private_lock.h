// A futex lock for our own tables. It is never held across a call into the program or its
// allocator.
//
// Two things can go wrong inside someone else's process, and neither may hang it:
// a signal handler that allocates on its own stack interrupts the holder on the same thread, and a
// vfork child that shares our memory is killed while it holds the lock. So lock() fails instead of
// waiting for ever: at once when this thread holds the lock in a frame that is still live, after
// two seconds otherwise. The caller then falls back to an answer that needs no table.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "interposer/segment/futex.h"

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
    owner_frame_ = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    return true;
  }

  void unlock() {
    owner_.store(nullptr, std::memory_order_relaxed);
    if (word_.exchange(kFree, std::memory_order_release) == kContended) {
      const int saved_errno = errno;
      segment::futex_wake(word_, 1);
      errno = saved_errno;
    }
  }

  // In a forked child: whoever held it is gone.
  void reset() {
    owner_.store(nullptr, std::memory_order_relaxed);
    word_.store(kFree, std::memory_order_relaxed);
  }

 private:
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2;

  bool lock_contended(const void* thread) {
    const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    if (owner_.load(std::memory_order_relaxed) == thread) {
      // Ours. A holder in a frame below this one has been left for good: take it over.
      return owner_frame_ < here;
    }
    const int saved_errno = errno;
    bool taken = false;
    for (int timeouts = 0; timeouts < 40 && !taken;) {
      if (word_.exchange(kContended, std::memory_order_acquire) == kFree) {
        taken = true;
      } else if (!segment::futex_wait(word_, kContended, 50'000'000)) {
        ++timeouts;
      }
    }
    errno = saved_errno;
    return taken;
  }

  std::atomic<uint32_t> word_{kFree};
  std::atomic<const void*> owner_{nullptr};
  uintptr_t owner_frame_ = 0;
};

}  // namespace memlens::interposer
