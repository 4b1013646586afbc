// Distances between samples (sampler.h).
#pragma once

#include <cstdint>

namespace memlens::interposer {

// An exponentially distributed distance of that mean, from `random`, which is uniform in 64 bits:
// the smallest number of bytes that is larger.
uint64_t exponential_bytes(uint64_t random, uint64_t mean_bytes);

}  // namespace memlens::interposer
