// How many of the kept frames, counted from the innermost, can be other than they were.
//
// A frame that runs again, or is called anew, has first seen every frame further in return, and
// those that are there now were called since. Generators and coroutines leave and come back one
// frame at a time as well; a switch of the whole stack (greenlets, subinterpreters) is a change of
// the innermost frame. So the time that has passed bounds how far out a change can be.
//
// Comparing all 400 frames of bench/workloads/recursion.py, each on a cache line of its own, took
// 430 ns an allocation. Reading the counter takes 9 ns, as much as 12 frames do.
#pragma once

#include <cstdint>

#include "interposer/platform/clock.h"
#include "interposer/stacks/python_stack.h"

namespace memlens::interposer {

inline constexpr uint32_t kWorthTheClock = 64;  // frames

// What a frame takes to go and come again, at least: less than a third of the shortest seen, over
// calls, recursion, generators, `yield from` and `await` of up to 900 frames, with the JIT and
// without: 35 ns to 3.10, 27 in 3.11, 16 in 3.12, 10 from 3.13 on (the best of thousands of rounds,
// on a busy machine). In a build with MEMLENS_CHECK_DEEP_STACKS the program ends where it is ever
// too long. 0: not timed.
constexpr uint32_t least_ns_per_frame(uint16_t minor) {
  if (minor <= 10) return 10;
  if (minor == 11) return 6;
  if (minor == 12) return 4;
  return minor <= 15 ? 3 : 0;
}

template <typename L>
__attribute__((noinline)) uint32_t frames_to_compare(PythonStackState& state) {
  constexpr uint32_t kCallsInFlight = 8;  // the processor may read the counter ahead of its turn
  constexpr uint64_t kLongAgo = 1 << 20;  // ticks
  const uint32_t ns_per_frame = least_ns_per_frame(L::get().minor);
  if (ns_per_frame == 0 || state.ns_per_tick == 0) return kMaxPythonFrames;
  const uint64_t now = platform::read_ticks();
  const uint64_t passed = now - state.walked_at;
  state.walked_at = now;
  if (passed >= kLongAgo) return kMaxPythonFrames;
  return static_cast<uint32_t>(passed * state.ns_per_tick >> 32) / ns_per_frame + kCallsInFlight;
}

// How far out the kept frames are to be compared, counted from the innermost.
template <typename L>
inline uint32_t reach_of(PythonStackState& state) {
  if (__builtin_expect(state.depth <= kWorthTheClock, 1)) return kMaxPythonFrames;
  return frames_to_compare<L>(state);
}

}  // namespace memlens::interposer
