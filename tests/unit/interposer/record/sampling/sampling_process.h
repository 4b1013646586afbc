// A process that samples, for tests of what that takes without a session.
#pragma once

#include <memory>

#include "interposer/record/sampling/sampler.h"
#include "interposer/session/process.h"

namespace memlens::interposer {

// Of a segment only its header.
struct SegmentForTest {
  segment::SegmentHeader header{};
};

inline SegmentForTest& start_sampling(uint64_t interval, uint64_t seed) {
  static SegmentForTest segment;
  segment.header.sample_interval.store(interval);
  segment.header.sample_seed = seed;
  process.segment = &segment.header;
  sampler::start();
  return segment;
}

}  // namespace memlens::interposer
