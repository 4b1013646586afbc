#include "report/text/size_text.h"

#include <doctest/doctest.h>

using namespace memlens::report;

TEST_CASE("K, M and G are powers of 1000, Ki, Mi and Gi of 1024, with or without B") {
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("4096") == 4096);
  CHECK(parse_size("100B") == 100);
  CHECK(parse_size("512K") == 512'000);
  CHECK(parse_size("512kb") == 512'000);
  CHECK(parse_size("24MB") == 24'000'000);
  CHECK(parse_size("24 MB") == 24'000'000);
  CHECK(parse_size("1.5GiB") == 1'610'612'736);
  CHECK(parse_size("1.5G") == 1'500'000'000);
  CHECK(parse_size("64Ki") == 65'536);
  CHECK(parse_size("2TiB") == 2'199'023'255'552);
  CHECK(parse_size("0.5K") == 500);
}

TEST_CASE("what is no size is none") {
  for (const char* text : {"", " ", "MB", "-1", "1e3", "12X", "1.2.3", "5 M B", "nan", "inf",
                           "0x10", "1,5M", "99999999999999T"}) {
    CAPTURE(text);
    CHECK(!parse_size(text));
  }
}

TEST_CASE("rates are sizes a unit of time") {
  CHECK(parse_rate("10K/s") == 10'000);
  CHECK(parse_rate("10K") == 10'000);
  CHECK(parse_rate("6MB/min") == 100'000);
  CHECK(parse_rate("36 MB / h") == 10'000);
  CHECK(parse_rate("0/S") == 0);
  CHECK(!parse_rate("10K/"));
  CHECK(!parse_rate("10K/parsec"));
  CHECK(!parse_rate("/s"));
}

TEST_CASE("shares are percentages, with or without the sign") {
  CHECK(parse_percent("5%").value() == doctest::Approx(0.05));
  CHECK(parse_percent("2.5 %").value() == doctest::Approx(0.025));
  CHECK(parse_percent("0") == 0.0);
  CHECK(!parse_percent("5%%"));
  CHECK(!parse_percent("-5%"));
  CHECK(!parse_percent("many"));
}
