#include "reader/text/units.h"

#include <doctest/doctest.h>

using namespace memlens;

TEST_CASE("bytes have three digits and a decimal unit") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(999) == "999 B");
  CHECK(format_bytes(1000) == "1.00 kB");
  CHECK(format_bytes(9994) == "9.99 kB");
  CHECK(format_bytes(9996) == "10.0 kB");
  CHECK(format_bytes(999'499) == "999 kB");
  CHECK(format_bytes(999'500) == "1.00 MB");
  CHECK(format_bytes(31'234'567) == "31.2 MB");
  CHECK(format_bytes(UINT64_MAX) == "18.4 EB");
}

TEST_CASE("counts are whole with thousands apart") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(999) == "999");
  CHECK(format_count(1000) == "1,000");
  CHECK(format_count(1234567) == "1,234,567");
  CHECK(format_count_of(1, "block") == "1 block");
  CHECK(format_count_of(0, "block") == "0 blocks");
}

TEST_CASE("a share is never rounded to nothing or to all") {
  CHECK(format_share(1, 0) == "-");
  CHECK(format_share(0, 5) == "0 %");
  CHECK(format_share(1, 100000) == "<0.1 %");
  CHECK(format_share(1, 2) == "50.0 %");
  CHECK(format_share(99999, 100000) == "99.9 %");
  CHECK(format_share(7, 7) == "100 %");
}

TEST_CASE("times have the unit a person would use") {
  CHECK(format_seconds(0) == "0.000 s");
  CHECK(format_seconds(1.8404) == "1.840 s");
  CHECK(format_seconds(12.345) == "12.35 s");
  CHECK(format_seconds(200) == "3 min 20 s");
  CHECK(format_seconds(7500) == "2 h 05 min");
}
