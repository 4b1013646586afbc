// The interpreter's life as the interposer sees it: found, initialised, shutting down.
#pragma once

#include <atomic>
#include <cstdint>

namespace memlens::interposer {

// Looks for CPython in the process; installs the allocator hooks and begins to take Python stacks
// if it is there. From the preload constructor, and whenever modules have been loaded. A few
// microseconds, next to nothing once found. Any thread, inside or outside a hook.
void python_attach();

// From the recorder's slow path (every kilobyte of a thread's events, every 10 ms). Puts the hooks
// back where pre-initialisation has replaced them, and follows initialisation and its undoing.
void python_poll();

namespace python {

enum class Phase : uint8_t { kNotInitialized, kInitialized, kShutDown };
extern std::atomic<Phase> phase;

void check_for_shutdown();

// By the recorder before each free. Python frees nearly everything when it shuts down,
// which would leave nothing "still allocated": the first free that finds Py_IsInitialized() undone
// says so in the capture.
inline void before_free() {
  if (phase.load(std::memory_order_relaxed) == Phase::kInitialized) check_for_shutdown();
}

}  // namespace python
}  // namespace memlens::interposer
