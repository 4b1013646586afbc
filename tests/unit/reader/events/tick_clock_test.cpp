#include "reader/events/tick_clock.h"

#include <doctest/doctest.h>

using memlens::reader::TickClock;

TEST_CASE("ticks become seconds by the nearest two moments, and back") {
  TickClock clock;
  clock.add(1000, 5'000'000'000);
  clock.add(3000, 7'000'000'000);   // 1000 ticks a second
  clock.add(13000, 9'000'000'000);  // then 5000
  clock.finish();
  CHECK(clock.seconds_at(1000) == doctest::Approx(0));
  CHECK(clock.seconds_at(2000) == doctest::Approx(1));
  CHECK(clock.seconds_at(8000) == doctest::Approx(3));
  CHECK(clock.seconds_at(23000) == doctest::Approx(6));
  CHECK(clock.seconds_at(0) == doctest::Approx(-1));
  for (const double seconds : {0.0, 0.5, 1.9, 2.5, 4.0, 100.0})
    CHECK(clock.seconds_at(clock.ticks_at(seconds)) == doctest::Approx(seconds).epsilon(0.001));
}

TEST_CASE("moments that go backwards are left out, one moment alone is enough") {
  TickClock clock;
  clock.add(1000, 1'000'000'000);
  clock.add(2000, 2'000'000'000);
  clock.add(1500, 9'000'000'000);
  clock.finish();
  CHECK(clock.seconds_at(2000) > clock.seconds_at(1000));
  TickClock alone;
  alone.add(5000, 1);
  alone.finish();
  CHECK(alone.seconds_at(5000) == 0);
  CHECK(alone.seconds_at(6000) > 0);
  CHECK(alone.ticks_at(1e30) == UINT64_MAX);
  CHECK(alone.ticks_at(-1e30) == 0);
}
