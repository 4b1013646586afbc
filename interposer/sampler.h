// Poisson sampling in bytes: which allocations are recorded when not all are.
//
// Samples lie on the bytes a program allocates like the clicks of a Geiger counter: independent of
// each other, one in `interval` bytes on average. A block is recorded when at least one lies on it,
// so one of s bytes is with probability 1 - exp(-s / interval), and a reader that counts it as
// 1 / (1 - exp(-s / interval)) blocks is right on average, whatever the sizes are and in whatever
// order they come. Every n-th block would not do: programs repeat themselves in n, too.
//
// Each thread counts its bytes down to its next sample. The distance is exponentially distributed,
// hence without memory: it can be drawn anew at any time without touching the odds. That is what
// makes this cheap. A thread that has not drawn yet has a countdown of 0, and threads, forked
// children and callers that want to see every event (an interpreter coming up) just begin again.
//
// What it costs where nothing is sampled: a subtraction and a branch for an allocation, the look
// into a filter for a free (sampled_blocks.h). docs/sampling.md has the measurements.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/process.h"
#include "interposer/reentrancy.h"

namespace memlens::interposer::sampler {

// The thread's countdown: a block of at least that many bytes is sampled. Blocks of no bytes never
// are. False also inside another hook, whose nested call this is then.
__attribute__((always_inline)) inline bool passes_unsampled(size_t bytes) {
  if (__builtin_expect(bytes >= sample_countdown || hook_frame != 0, 0)) return false;
  sample_countdown -= bytes;
  return true;
}

// This process records samples only.
inline bool chosen() {
  return (attention.load(std::memory_order_relaxed) & kAttentionSampling) != 0;
}
// ... and goes on recording.
inline bool active() {
  return (attention.load(std::memory_order_relaxed) & (kAttentionSampling | kAttentionOver)) ==
         kAttentionSampling;
}

// For a process that has joined its session, forked children included: takes the segment's interval
// and seed, does nothing when all is to be recorded.
void start();

// Sets the calling thread's countdown from the interval of the moment.
void draw();

// The calling thread's next allocation draws first.
inline void draw_anew() { sample_countdown = 0; }

// Names a moment in the calling thread's allocations: the same again as long as it has made none.
// Never 0.
uint64_t place();

}  // namespace memlens::interposer::sampler
