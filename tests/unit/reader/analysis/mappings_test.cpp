#include "reader/analysis/mappings.h"

#include <doctest/doctest.h>

using memlens::reader::Mapping;
using memlens::reader::Mappings;

namespace {

constexpr uint64_t kPage = 4096;

}  // namespace

TEST_CASE("a range is covered only when every byte is mapped, by however many mappings") {
  Mappings mappings;
  mappings.add(100 * kPage, 50 * kPage, std::make_shared<Mapping>());
  mappings.add(150 * kPage, 50 * kPage, std::make_shared<Mapping>());
  mappings.add(300 * kPage, 10 * kPage, std::make_shared<Mapping>());
  CHECK(mappings.covers(100 * kPage, 100 * kPage));
  CHECK(mappings.covers(120 * kPage, 60 * kPage));
  CHECK_FALSE(mappings.covers(99 * kPage, 2 * kPage));
  CHECK_FALSE(mappings.covers(190 * kPage, 20 * kPage));
  CHECK_FALSE(mappings.covers(190 * kPage, 115 * kPage));
  CHECK_FALSE(mappings.covers(200 * kPage, 1 * kPage));
}

TEST_CASE("removing a range takes parts of what it touches and leaves the rest") {
  Mappings mappings;
  const auto first = std::make_shared<Mapping>();
  const auto second = std::make_shared<Mapping>();
  mappings.add(100 * kPage, 50 * kPage, first);
  mappings.add(160 * kPage, 40 * kPage, second);
  const auto removed = mappings.remove(120 * kPage, 60 * kPage);
  REQUIRE(removed.size() == 2);
  CHECK(removed[0].begin == 120 * kPage);
  CHECK(removed[0].end == 150 * kPage);
  CHECK(removed[0].mapping == first);
  CHECK(removed[1].begin == 160 * kPage);
  CHECK(removed[1].end == 180 * kPage);
  CHECK(removed[1].mapping == second);
  CHECK(mappings.covers(100 * kPage, 20 * kPage));
  CHECK(mappings.covers(180 * kPage, 20 * kPage));
  CHECK_FALSE(mappings.covers(120 * kPage, 1 * kPage));
  // From the middle: two pieces of one mapping stay.
  const auto middle = mappings.remove(105 * kPage, 5 * kPage);
  REQUIRE(middle.size() == 1);
  CHECK(mappings.covers(100 * kPage, 5 * kPage));
  CHECK(mappings.covers(110 * kPage, 10 * kPage));
  CHECK(mappings.remove(0, 50 * kPage).empty());
}

TEST_CASE("the last page of a mapping counts as whole, as it does for munmap") {
  Mappings mappings;
  mappings.add(10 * kPage, kPage + 100, std::make_shared<Mapping>());
  CHECK(mappings.covers(10 * kPage, 2 * kPage));
  const auto removed = mappings.remove(11 * kPage, kPage);
  REQUIRE(removed.size() == 1);
  CHECK(removed[0].end - removed[0].begin == 100);
}
