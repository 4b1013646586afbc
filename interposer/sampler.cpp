#include "interposer/sampler.h"

#include "interposer/exponential.h"
#include "interposer/hooks/malloc_hooks.h"
#include "interposer/sampled_blocks.h"

namespace memlens::interposer::sampler {
namespace {

// One sequence for all threads of the process: a draw is so rare that they do not meet here.
std::atomic<uint64_t> draws{0};
uint64_t seed = 0;

// Of the threads without a state.
std::atomic<uint64_t> common_countdown{0};  // 0: to be drawn
std::atomic<uint64_t> common_interval{0};

constexpr uint64_t kGoldenRatio = 0x9E3779B97F4A7C15ull;

// The finalizer of splitmix64: consecutive numbers in, independent bits out.
uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ value >> 27) * 0x94D049BB133111EBull;
  return value ^ value >> 31;
}

uint64_t interval_now() { return process.segment->sample_interval.load(std::memory_order_relaxed); }

uint64_t draw(uint64_t interval) {
  const uint64_t number = draws.fetch_add(1, std::memory_order_relaxed) + 1;
  return exponential_bytes(mix(seed + number * kGoldenRatio), interval);
}

void draw_for(ThreadState& state) {
  state.sample_interval = interval_now();
  state.sample_countdown = draw(state.sample_interval);
}

uint64_t count_in_common(size_t bytes) {
  uint64_t left = common_countdown.load();
  for (;;) {
    const uint64_t interval = interval_now();
    if (left == 0 || common_interval.load() != interval) {
      const uint64_t drawn = draw(interval);
      common_interval.store(interval);
      if (common_countdown.compare_exchange_strong(left, drawn)) left = drawn;
    } else if (bytes < left) {
      if (common_countdown.compare_exchange_strong(left, left - bytes)) return 0;
    } else if (common_countdown.compare_exchange_strong(left, 0)) {
      return interval;
    }
  }
}

}  // namespace

void start() {
  if (interval_now() == 0) return;
  sampled_blocks::drop();  // a parent's are not ours
  seed = mix(process.segment->sample_seed + process.index * kGoldenRatio);
  draws.store(0);
  draw_anew(thread_state);
  common_countdown.store(0);
  attention.fetch_or(kAttentionSampling);
  let_unsampled_blocks_pass();
}

uint64_t count(ThreadState* state, size_t bytes) {
  if (state == nullptr) return count_in_common(bytes);
  if (state->sample_countdown == 0) draw_for(*state);
  if (bytes < state->sample_countdown) {
    state->sample_countdown -= bytes;
    return 0;
  }
  const uint64_t interval = state->sample_interval;
  draw_for(*state);
  return interval;
}

void draw_anew(ThreadState* state) {
  if (state != nullptr) state->sample_countdown = 0;
}

uint64_t place(ThreadState& state) {
  if (state.sample_countdown == 0) draw_for(state);  // 0 is no moment of its own
  return mix(reinterpret_cast<uintptr_t>(&state) + state.sample_countdown * kGoldenRatio) | 1;
}

}  // namespace memlens::interposer::sampler
