// Whether what is known of code by its address still holds: a leaf that every stack asks.
#pragma once

#include <atomic>
#include <cstdint>

namespace memlens::interposer {

// Goes up when an object has gone, or something else is known of an address than before. Whoever
// keeps what it knows of code keeps this number with it.
inline std::atomic<uint32_t> native_code_generation{1};

// Any thread, no lock.
inline void native_code_has_changed() {
  native_code_generation.fetch_add(1, std::memory_order_release);
}

}  // namespace memlens::interposer
