#include "interposer/record/sampling/sampler.h"

#include <doctest/doctest.h>

#include <cmath>
#include <thread>

#include "sampling_process.h"

using namespace memlens::interposer;

namespace {

// As a hook does it.
uint64_t allocate(size_t bytes) {
  return sampler::passes_unsampled(bytes) ? 0 : sampler::count(bytes);
}

// `count` samples where `expected` are to be, five standard errors apart at the most.
void check_count(double count, double expected) {
  CHECK(std::abs(count - expected) < 5 * std::sqrt(expected));
}

}  // namespace

TEST_CASE("a block is sampled by its size, whatever was counted before") {
  start_sampling(1000, 1);
  int small = 0, large = 0;
  for (int i = 0; i < 100'000; ++i) {
    small += allocate(10) != 0;
    large += allocate(2000) != 0;
  }
  check_count(small, 100'000 * -std::expm1(-0.01));
  check_count(large, 100'000 * -std::expm1(-2));
  CHECK(allocate(0) == 0);
}

TEST_CASE("a sample counts by the interval it was drawn from, the next ones by the new one") {
  SegmentForTest& segment = start_sampling(1000, 2);
  uint64_t interval = 0;
  allocate(0);  // draws
  for (int round = 0; round < 8; ++round) {
    const uint64_t drawn_from = 1000u << round, from_now_on = 2 * drawn_from;
    segment.header.sample_interval.store(from_now_on);
    while ((interval = allocate(10)) == 0) {
    }
    CHECK(interval == drawn_from);
  }
  int samples = 0;
  for (int i = 0; i < 1'000'000; ++i) samples += allocate(256) == 256'000;
  check_count(samples, 1000);
}

TEST_CASE("many short threads are sampled as one long one is") {
  start_sampling(10'000, 3);
  int samples = 0;
  for (int i = 0; i < 2000; ++i) {
    std::thread([&] {
      for (int k = 0; k < 10; ++k) samples += allocate(100) == 10'000;
    }).join();
  }
  check_count(samples, 200);
}

TEST_CASE("bytes that a nested call counts for nothing do not change the odds") {
  start_sampling(1000, 4);
  int samples = 0;
  for (int i = 0; i < 200'000; ++i) {
    samples += allocate(100) != 0;
    if (!sampler::passes_unsampled(130)) sampler::draw_anew();  // inside the real call
  }
  check_count(samples, 200'000 * -std::expm1(-0.1));
}

TEST_CASE("a thread's place changes with each block that is counted, and only then") {
  start_sampling(1'000'000, 5);
  ThreadState* const one = reinterpret_cast<ThreadState*>(0x1000);
  ThreadState* const other = reinterpret_cast<ThreadState*>(0x2000);
  const uint64_t before = sampler::place(one);
  CHECK(before != 0);
  CHECK(sampler::place(one) == before);
  CHECK(sampler::place(other) != before);
  allocate(1);
  CHECK(sampler::place(one) != before);
}
