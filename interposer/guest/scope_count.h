// How many scopes of a kind there are on all threads. In a forked child there are none of its
// parent's, whose ends may still come: the thread that forked leaves its own.
#pragma once

#include <atomic>
#include <cstdint>

namespace memlens::interposer {

inline void count_one_less(std::atomic<uint32_t>& scopes) {
  uint32_t count = scopes.load();
  while (count != 0 && !scopes.compare_exchange_weak(count, count - 1)) {
  }
}

}  // namespace memlens::interposer
