#include "interposer/record/sampling/sampled_blocks.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

using namespace memlens::interposer;

namespace {
bool may_hold(uint64_t address) {
  return sampled_blocks::may_hold(reinterpret_cast<const void*>(address));
}
}  // namespace

TEST_CASE("what was put in is found with its place, once") {
  REQUIRE(sampled_blocks::begin());
  uint64_t place = 0;
  CHECK_FALSE(may_hold(0x7f0000001230));
  CHECK_FALSE(sampled_blocks::remove(0x7f0000001230, place));
  REQUIRE(sampled_blocks::insert(0x7f0000001230, 77));
  CHECK(may_hold(0x7f0000001230));
  CHECK(sampled_blocks::holds(0x7f0000001230));
  CHECK_FALSE(sampled_blocks::holds(0x7f0000001240));
  CHECK(sampled_blocks::remove(0x7f0000001230, place));
  CHECK(place == 77);
  CHECK_FALSE(may_hold(0x7f0000001230));
  CHECK_FALSE(sampled_blocks::remove(0x7f0000001230, place));
}

TEST_CASE("an address given out again takes the place of the block whose free was not seen") {
  REQUIRE(sampled_blocks::begin());
  uint64_t place = 0;
  sampled_blocks::insert(0x1000, 1);
  sampled_blocks::insert(0x1000, 2);
  CHECK(sampled_blocks::remove(0x1000, place));
  CHECK(place == 2);
  CHECK_FALSE(may_hold(0x1000));
}

TEST_CASE("many blocks, evenly spaced as blocks are, all come out again") {
  REQUIRE(sampled_blocks::begin());
  constexpr uint64_t kBlocks = 200'000;
  const auto address_of = [](uint64_t i) { return 0x7f1200000010 + i * 0x10000; };
  for (uint64_t i = 0; i < kBlocks; ++i) REQUIRE(sampled_blocks::insert(address_of(i), i + 1));
  for (uint64_t i = 0; i < kBlocks; ++i) REQUIRE(may_hold(address_of(i)));
  for (uint64_t i = 0; i < kBlocks; ++i) {
    uint64_t place = 0;
    REQUIRE(sampled_blocks::remove(address_of(i), place));
    REQUIRE(place == i + 1);
  }
  CHECK_FALSE(sampled_blocks::holds(address_of(0)));
  sampled_blocks::insert(0x1000, 1);
  REQUIRE(sampled_blocks::begin());
  CHECK_FALSE(may_hold(0x1000));
}

TEST_CASE("threads that put in and take out at once lose nothing") {
  REQUIRE(sampled_blocks::begin());
  constexpr unsigned kThreads = 4;
  std::atomic<unsigned> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      // The same buckets and counters for all of them, other addresses.
      for (uint64_t round = 0; round < 200; ++round) {
        for (uint64_t i = 0; i < 100; ++i) {
          if (!sampled_blocks::insert((i * kThreads + t + 1) * 16, t + 1)) ++wrong;
        }
        for (uint64_t i = 0; i < 100; ++i) {
          const uint64_t address = (i * kThreads + t + 1) * 16;
          uint64_t place = 0;
          if (!may_hold(address) || !sampled_blocks::remove(address, place) || place != t + 1) {
            ++wrong;
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  for (uint64_t i = 1; i <= 100 * kThreads; ++i) CHECK_FALSE(may_hold(i * 16));
}
