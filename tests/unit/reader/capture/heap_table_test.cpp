#include "reader/capture/heap_table.h"

#include <doctest/doctest.h>

#include <string>

using namespace memlens;
using format::AllocationKind;
using reader::Heap;
using reader::HeapTable;

TEST_CASE("today's kinds are in the heaps every reader knows") {
  const HeapTable table;
  REQUIRE(table.heaps().size() == 3);
  CHECK(table.heaps()[table.heap_of(AllocationKind::kCalloc)].name == "malloc");
  CHECK(table.heaps()[table.heap_of(AllocationKind::kOperatorNew)].name == "malloc");
  CHECK(table.heaps()[table.heap_of(AllocationKind::kPyMemMalloc)].name == "python");
  CHECK(table.heaps()[table.heap_of(AllocationKind::kBrk)].name == "mmap");
  CHECK(table.is_mapping(AllocationKind::kMremap));
  CHECK_FALSE(table.is_mapping(AllocationKind::kOperatorNew));
  CHECK(table.kinds().size() == format::kAllocationKindCount);
  // Nobody described it: a later writer's, or a damaged capture's.
  CHECK(table.function_name(static_cast<AllocationKind>(40)) == "unknown");
  CHECK(table.heap_of(static_cast<AllocationKind>(200)) == 0);
}

TEST_CASE("a function registered by several processes has one number in the capture") {
  HeapTable table;
  const Heap pool{"pool", format::HeapFamily::kMalloc, 0};
  const AllocationKind first = table.add(pool, "take");
  CHECK(table.add(pool, "take_zeroed") != first);
  CHECK(table.add(pool, "take") == first);
  CHECK(table.add({"pool", format::HeapFamily::kDevice, 1}, "take") != first);
  CHECK(table.function_name(first) == "take");
  CHECK(table.heaps()[table.heap_of(first)].name == "pool");
  CHECK(table.heaps().size() == 5);
  CHECK(table.kinds().size() == format::kAllocationKindCount + 3);
}

TEST_CASE("when the numbers are used up the rest of the functions share one") {
  HeapTable table;
  AllocationKind last{};
  for (int i = 0; i < 400; ++i) last = table.add({"pool", {}, 0}, "take" + std::to_string(i));
  CHECK(last == static_cast<AllocationKind>(255));
  CHECK(table.function_name(last) == "other functions");
  CHECK(table.heaps()[table.heap_of(last)].name == "other heaps");
  CHECK(table.function_name(table.add({"pool", {}, 0}, "take7")) == "take7");
  CHECK(table.kinds().size() == format::kAllocationKindCount + 192);
}
