#include "interposer/format/primitives.h"

#include <doctest/doctest.h>

#include <limits>

using namespace memlens::format;

TEST_CASE("a varint decodes to what was encoded") {
  constexpr uint64_t kValues[] = {
      0, 1, 127, 128, 300, uint64_t{1} << 35, std::numeric_limits<uint64_t>::max()};
  for (uint64_t value : kValues) {
    uint8_t buffer[kMaxVarintBytes];
    const uint8_t* end = encode_varint(buffer, value);
    uint64_t decoded = 0;
    CHECK(decode_varint(buffer, end, decoded) == end);
    CHECK(decoded == value);
  }
}

TEST_CASE("a varint cut short or too long is refused") {
  const uint8_t cut[] = {0x80, 0x80};
  uint64_t value;
  CHECK(decode_varint(cut, cut + 2, value) == nullptr);
  uint8_t too_long[11];
  for (uint8_t& byte : too_long) byte = 0x80;
  CHECK(decode_varint(too_long, too_long + 11, value) == nullptr);
}

TEST_CASE("zigzag keeps small magnitudes small") {
  CHECK(zigzag_encode(0) == 0);
  CHECK(zigzag_encode(-1) == 1);
  CHECK(zigzag_encode(1) == 2);
  CHECK(zigzag_decode(zigzag_encode(std::numeric_limits<int64_t>::min())) ==
        std::numeric_limits<int64_t>::min());
}
