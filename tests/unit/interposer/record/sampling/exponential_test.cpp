#include "interposer/record/sampling/exponential.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

using memlens::interposer::exponential_bytes;

TEST_CASE("distances are the logarithm's, for any bits") {
  constexpr double kMean = 1 << 30;
  std::mt19937_64 random(7);
  const auto expect = [&](uint64_t bits) {
    const double uniform = std::ldexp(static_cast<double>(bits), -64);
    const double distance = -std::log(uniform) * kMean;
    CHECK(std::abs(static_cast<double>(exponential_bytes(bits, 1 << 30)) - distance) < 2);
  };
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t bits = random() | 1;
    expect(bits);
    expect((bits >> (i % 64)) | 1);  // small ones are far away
  }
  expect(UINT64_MAX);
  expect(1);
}

TEST_CASE("a block is as likely to be sampled as its bytes are, whatever they have passed") {
  // One sample in 1,000 bytes: blocks of 100 bytes are taken with 1 - exp(-0.1).
  constexpr int kBlocks = 2'000'000;
  std::mt19937_64 random(11);
  int taken = 0;
  uint64_t countdown = exponential_bytes(random(), 1000);
  for (int i = 0; i < kBlocks; ++i) {
    if (100 < countdown) {
      countdown -= 100;
      continue;
    }
    ++taken;
    countdown = exponential_bytes(random(), 1000);
  }
  const double chance = 1 - std::exp(-0.1);
  const double spread = std::sqrt(kBlocks * chance * (1 - chance));
  CHECK(std::abs(taken - kBlocks * chance) < 4 * spread);
}
