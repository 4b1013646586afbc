// The one thing about Python that is asked at every free.
//
// Python frees nearly everything when it shuts down, which would leave nothing "still allocated":
// the first free that finds Py_IsInitialized() undone says so in the capture.
#pragma once

#include <atomic>

namespace memlens::interposer::python {

// 0: somebody has to ask Py_IsInitialized(), which may have come undone. While Python is
// initialised this is the integer that function reads, where that is known (a call of it for every
// free was 7 % of what recording strings costs).
inline constexpr int kNothingToAsk = 1;
inline constexpr int kAsk = 0;
inline std::atomic<const int*> shutdown_watch{&kNothingToAsk};

// Asks. Put here before `shutdown_watch` first says that somebody has to.
inline void (*check_for_shutdown)() = [] {};

// By the recorder before each free.
inline void before_free() {
  if (__builtin_expect(*shutdown_watch.load(std::memory_order_relaxed) == 0, 0)) {
    check_for_shutdown();
  }
}

}  // namespace memlens::interposer::python
