#include "interposer/definitions/node_table.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "interposer/guest/private_memory.h"

using namespace memlens::interposer;

namespace {
NodeKey key(uint32_t parent, uint64_t value) { return {parent, NodeType::kPython, value}; }
}  // namespace

TEST_CASE("nodes are found under the numbers they were given, through growth") {
  node_table::drop();
  CHECK(node_table::find(key(0, 7)) == 0);
  constexpr uint32_t kNodes = 100000;
  for (uint32_t i = 1; i <= kNodes; ++i) {
    REQUIRE(node_table::newest() == i - 1);
    REQUIRE(node_table::insert_locked(key(i / 3, i)));
  }
  for (uint32_t i = 1; i <= kNodes; ++i) REQUIRE(node_table::find(key(i / 3, i)) == i);
  CHECK(node_table::find(key(5, 1)) == 0);
  CHECK(node_table::find({1 / 3, NodeType::kNative, 1}) == 0);  // same numbers, other kind
  node_table::drop();
  CHECK(node_table::find(key(0, 1)) == 0);
}

TEST_CASE("a node is on top of one that is there") {
  node_table::drop();
  CHECK_FALSE(node_table::insert_locked(key(1, 1)));
  CHECK(node_table::insert_locked(key(0, 1)));
  CHECK_FALSE(node_table::insert_locked(key(1u << 20, 1)));
  CHECK(node_table::find(key(1u << 20, 1)) == 0);
  CHECK(node_table::insert_locked(key(1, 1)));
  CHECK(node_table::newest() == 2);
}

TEST_CASE("a reader beside a growing table finds every node that was published") {
  node_table::drop();
  std::atomic<uint32_t> published{0};
  std::atomic<bool> wrong{false};
  std::thread reader([&] {
    for (;;) {
      const uint32_t last = published.load(std::memory_order_acquire);
      for (uint32_t i = last > 50 ? last - 50 : 1; i <= last; ++i) {
        if (node_table::find(key(i > 1 ? 1 : 0, i)) != i) wrong = true;
      }
      if (last == 60001) return;
    }
  });
  for (uint32_t i = 1; i <= 60001; ++i) {
    node_table::insert_locked(key(i > 1 ? 1 : 0, i));
    published.store(i, std::memory_order_release);
  }
  reader.join();
  CHECK_FALSE(wrong);
}
