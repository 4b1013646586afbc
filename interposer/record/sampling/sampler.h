// Poisson sampling in bytes: which allocations are recorded when not all are.
//
// Samples lie on the bytes a program allocates like the clicks of a Geiger counter: independent of
// each other, one in `interval` bytes on average. A block is recorded when at least one lies on it,
// so one of s bytes is with probability 1 - exp(-s / interval), and a reader that counts it as
// 1 / (1 - exp(-s / interval)) blocks is right on average, whatever the sizes are and in whatever
// order they come. Every n-th block would not do: programs repeat themselves in n, too.
//
// Each thread counts its bytes down to its next sample. The distance is exponentially distributed,
// hence without memory: whatever the thread has counted before, what is left of it is distributed
// like a distance drawn anew. That is what makes this cheap. A thread that has not drawn yet has a
// countdown of 0, and threads, forked children and callers that want to see every event (an
// interpreter coming up) just begin again. The countdown is the thread's own from its first byte
// on, and needs no state: many short threads leave nothing in the capture.
//
// It is also why a hook that lets blocks pass need not know whether it is the outermost one. Bytes
// that a nested call counts, for nothing, make a countdown that goes on no better and no worse. Two
// things must be kept to: a block is drawn before the real call, not by what calls nested in it
// leave of a countdown that has been looked at; and a nested block that ends the countdown draws it
// anew (ignoring it would favour the outer one).
//
// What it costs where nothing is sampled: a subtraction and a branch for an allocation, the look
// into a filter for a free (sampled_blocks.h). docs/sampling.md has the measurements.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/guest/reentrancy.h"
#include "interposer/session/process.h"

namespace memlens::interposer::sampler {

// A block of at least as many bytes as the countdown has left is sampled; blocks of no bytes never
// are. False also where it is to be drawn first: draw_sample() (recorder.h) tells.
__attribute__((always_inline)) inline bool passes_unsampled(size_t bytes) {
  const uint64_t left = sample_countdown;
  if (__builtin_expect(bytes >= left, 0)) return false;
  sample_countdown = left - bytes;
  return true;
}

// This process records samples only.
inline bool chosen() {
  return (attention.load(std::memory_order_acquire) & kAttentionSampling) != 0;
}
// ... and goes on recording.
inline bool active() {
  return (attention.load(std::memory_order_acquire) & (kAttentionSampling | kAttentionOver)) ==
         kAttentionSampling;
}

// For a process that has joined its session, forked children included: takes the segment's interval
// and seed, does nothing when all is to be recorded.
// False, with a line on stderr: no memory for what sampling needs.
bool start();

// Counts a block of the calling thread. The interval of the countdown that it ended, so that it is
// a sample; 0: it is none.
uint64_t count(size_t bytes);

// The thread's next allocation draws first.
inline void draw_anew() { sample_countdown = 0; }

// What the countdown has left, drawn if need be: the same again as long as nothing is counted.
uint64_t position();

// The same for any thread: names a moment in the allocations of the thread whose `state` this is,
// of which the address is all that matters. Never 0.
uint64_t place(const void* state);

}  // namespace memlens::interposer::sampler
