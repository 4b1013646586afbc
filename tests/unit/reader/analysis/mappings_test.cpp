#include "reader/analysis/mappings.h"

#include <doctest/doctest.h>

using memlens::reader::Mapping;
using memlens::reader::Mappings;

TEST_CASE("a range is covered only when every byte is mapped, by however many mappings") {
  Mappings mappings;
  mappings.add(100, 50, std::make_shared<Mapping>());
  mappings.add(150, 50, std::make_shared<Mapping>());
  mappings.add(300, 10, std::make_shared<Mapping>());
  CHECK(mappings.covers(100, 100));
  CHECK(mappings.covers(120, 60));
  CHECK_FALSE(mappings.covers(99, 2));
  CHECK_FALSE(mappings.covers(190, 20));
  CHECK_FALSE(mappings.covers(190, 115));
  CHECK_FALSE(mappings.covers(200, 1));
}

TEST_CASE("removing a range takes parts of what it touches and leaves the rest") {
  Mappings mappings;
  const auto first = std::make_shared<Mapping>();
  const auto second = std::make_shared<Mapping>();
  mappings.add(100, 50, first);
  mappings.add(160, 40, second);
  const auto removed = mappings.remove(120, 60);
  REQUIRE(removed.size() == 2);
  CHECK(removed[0].begin == 120);
  CHECK(removed[0].end == 150);
  CHECK(removed[0].mapping == first);
  CHECK(removed[1].begin == 160);
  CHECK(removed[1].end == 180);
  CHECK(removed[1].mapping == second);
  CHECK(mappings.covers(100, 20));
  CHECK(mappings.covers(180, 20));
  CHECK_FALSE(mappings.covers(120, 1));
  // From the middle: two pieces of one mapping stay.
  const auto middle = mappings.remove(105, 5);
  REQUIRE(middle.size() == 1);
  CHECK(mappings.covers(100, 5));
  CHECK(mappings.covers(110, 10));
  CHECK(mappings.remove(0, 50).empty());
}
