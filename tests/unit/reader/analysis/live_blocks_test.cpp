#include "reader/analysis/live_blocks.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

using memlens::reader::LiveBlock;
using memlens::reader::LiveBlocks;

TEST_CASE("live blocks are found, erased and found again like in a map") {
  std::mt19937_64 random(3);
  LiveBlocks blocks;
  std::map<uint64_t, uint64_t> expected;
  for (int i = 0; i < 200'000; ++i) {
    // Growing first, then shrinking; addresses close together, so that they collide.
    const uint64_t address = 8 * (1 + random() % 20'000);
    if (random() % 10 < (i < 100'000 ? 6u : 3u)) {
      const auto [slot, replaced] = blocks.insert(address);
      LiveBlock& block = *slot;
      CHECK(replaced == (expected.count(address) == 1));
      block.address = address;
      block.size_bytes = expected[address] = random() % (uint64_t{1} << 55);
    } else {
      LiveBlock* block = blocks.find(address);
      REQUIRE((block != nullptr) == (expected.count(address) == 1));
      if (block == nullptr) continue;
      REQUIRE(uint64_t{block->size_bytes} == expected[address]);
      blocks.erase(block);
      expected.erase(address);
    }
  }
  CHECK(blocks.size() == expected.size());
  for (const auto& [address, size_bytes] : expected) {
    const LiveBlock* block = blocks.find(address);
    REQUIRE(block != nullptr);
    CHECK(uint64_t{block->size_bytes} == size_bytes);
  }
  blocks.clear();
  CHECK(blocks.find(8) == nullptr);
}
