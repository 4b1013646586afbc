#include "interposer/collector/sample_thinning.h"

#include <doctest/doctest.h>

using memlens::collector::SampleThinning;

namespace {
constexpr uint64_t kMegabyte = 1 << 20;
}

TEST_CASE("samples become half as frequent each time the capture has grown by a step") {
  SampleThinning thinning;
  CHECK(thinning.next_interval(1000, 0) == 1000);
  CHECK(thinning.next_interval(1000, 64 * kMegabyte - 1) == 1000);
  CHECK(thinning.next_interval(1000, 64 * kMegabyte) == 2000);
  CHECK(thinning.next_interval(2000, 64 * kMegabyte) == 2000);  // once for each step
  CHECK(thinning.next_interval(2000, 128 * kMegabyte - 1) == 2000);
  CHECK(thinning.next_interval(2000, 128 * kMegabyte) == 4000);
  CHECK(thinning.next_interval(4000, 300 * kMegabyte) == 8000);  // a leap is one step
  CHECK(thinning.next_interval(8000, 364 * kMegabyte - 1) == 8000);
  CHECK(thinning.next_interval(8000, 364 * kMegabyte) == 16000);
}

TEST_CASE("a capture that takes in a program's samples for years stays below a few gigabytes") {
  SampleThinning thinning;
  uint64_t interval = 512 << 10;
  double file_bytes = 0;
  // 1 GB/s of allocations in steps of a minute, 8 bytes a sample; 3 years.
  for (int minute = 0; minute < 3 * 365 * 24 * 60; ++minute) {
    file_bytes += 60e9 / static_cast<double>(interval) * 8;
    interval = thinning.next_interval(interval, static_cast<uint64_t>(file_bytes));
  }
  CHECK(file_bytes < 1.5e9);
  CHECK(interval > 512 << 10);
}

TEST_CASE("the interval has an end") {
  SampleThinning thinning;
  uint64_t interval = 1;
  for (uint64_t step = 1; step <= 100; ++step) {
    interval = thinning.next_interval(interval, step * SampleThinning::kStepBytes);
  }
  CHECK(interval == SampleThinning::kLongestInterval);
}
