#include "reader/capture/id_table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

using memlens::reader::IdTable;
using memlens::reader::PayloadError;

TEST_CASE("items are found under their ids, in whatever order they came") {
  std::vector<uint32_t> ids(20'000);
  std::iota(ids.begin(), ids.end(), 1);
  for (const unsigned seed : {0u, 1u, 2u}) {
    if (seed == 1) std::ranges::reverse(ids);
    if (seed == 2) std::ranges::shuffle(ids, std::mt19937(seed));
    IdTable<uint64_t> table;
    for (const uint32_t id : ids) table.add(id, "test") = id * 3;
    for (const uint32_t id : ids) REQUIRE(table.get(id) == id * 3);
    CHECK(table.get(0) == 0);
    CHECK(table.get(20'001) == 0);
    std::vector<uint64_t> visited;
    table.for_each([&](uint64_t item) {
      if (item != 0) visited.push_back(item);
    });
    CHECK(visited.size() == ids.size());
    CHECK(std::ranges::is_sorted(visited));
  }
}

TEST_CASE("an item is the same when its id comes again, near or far") {
  IdTable<int> table;
  table.add(1'000'000, "test") = 5;
  table.add(1'000'000, "test") += 1;
  table.add(3, "test") = 7;
  CHECK(table.get(1'000'000) == 6);
  CHECK(table.get(3) == 7);
}

TEST_CASE("a far id costs no more memory than a near one") {
  IdTable<int> table;
  table.add(1'000'000, "test") = 1;
  size_t visited = 0;
  table.for_each([&](int) { ++visited; });
  CHECK(visited == 1);
}

TEST_CASE("ids that cannot be are refused by name") {
  IdTable<int> table;
  CHECK_THROWS_WITH_AS(table.add(0, "node"), "impossible node id 0", PayloadError);
  CHECK_THROWS_AS(table.add(4'000'000'000, "node"), PayloadError);
  CHECK_THROWS_AS(table.check(4'000'000'000, "node"), PayloadError);
}
