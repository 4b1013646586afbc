// Whether the collector lives, and how it is woken: callable from inside any hook.
#pragma once

#include <atomic>
#include <cstdint>

#include "interposer/platform/futex.h"
#include "interposer/segment/layout.h"

namespace memlens::segment {

// glibc keeps the lock word first in pthread_mutex_t; the kernel sets FUTEX_OWNER_DIED in it when
// the owner of a robust mutex dies.
inline bool collector_is_dead(const SegmentHeader* segment) {
  auto* word = const_cast<uint32_t*>(reinterpret_cast<const uint32_t*>(&segment->collector_alive));
  return platform::owner_has_died(std::atomic_ref(*word).load(std::memory_order_relaxed));
}

inline void wake_collector(SegmentHeader* segment) {
  if (segment->collector_asleep.load() != 0 && segment->collector_asleep.exchange(0) != 0) {
    platform::futex_wake(segment->collector_asleep, 1);
  }
}

}  // namespace memlens::segment
