#include "interposer/record/sampling/sampler.h"

#include "interposer/guest/diagnostics.h"
#include "interposer/record/sampling/exponential.h"
#include "interposer/record/sampling/sampled_blocks.h"
#include "interposer/session/process.h"

namespace memlens::interposer::sampler {
namespace {

// One sequence for all threads of the process: a draw is so rare that they do not meet here.
std::atomic<uint64_t> draws{0};
uint64_t seed = 0;

constexpr uint64_t kGoldenRatio = 0x9E3779B97F4A7C15ull;

// The finalizer of splitmix64: consecutive numbers in, independent bits out.
uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ value >> 27) * 0x94D049BB133111EBull;
  return value ^ value >> 31;
}

uint64_t interval_now() { return process.segment->sample_interval.load(std::memory_order_relaxed); }

void draw() {
  const uint64_t number = draws.fetch_add(1, std::memory_order_relaxed) + 1;
  sample_interval = interval_now();
  sample_countdown = exponential_bytes(mix(seed + number * kGoldenRatio), sample_interval);
}

}  // namespace

bool start() {
  if (interval_now() == 0) {
    attention.fetch_and(~static_cast<uint32_t>(kAttentionSampling));
    return true;
  }
  if (!sampled_blocks::begin()) {  // a parent's are not ours, nor a former session's
    report_line(
        Line().text("recording stopped: no address space for what sampling needs (ulimit "
                    "-v, RLIMIT_AS); the program runs on"));
    return false;
  }
  seed = mix(process.segment->sample_seed + process.index * kGoldenRatio);
  draws.store(0);
  draw_anew();
  attention.fetch_or(kAttentionSampling);
  attention_has_changed();
  return true;
}

uint64_t count(size_t bytes) {
  if (sample_countdown == 0) draw();
  if (passes_unsampled(bytes)) return 0;
  const uint64_t interval = sample_interval;
  draw();
  return interval;
}

uint64_t position() {
  if (sample_countdown == 0) draw();  // 0 is no moment of its own
  return sample_countdown;
}

uint64_t place(const void* state) {
  return mix(reinterpret_cast<uintptr_t>(state) + position() * kGoldenRatio) | 1;
}

}  // namespace memlens::interposer::sampler
