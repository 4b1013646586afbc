#include "interposer/stacks/unwind_bytes.h"

#include <doctest/doctest.h>

#include <array>
#include <vector>

using memlens::interposer::unwind::ByteCursor;

namespace {
// Out of the compiler's sight, which would warn of what is tested.
__attribute__((noipa)) ByteCursor over(const std::vector<uint8_t>& bytes) {
  return ByteCursor(bytes.data(), bytes.data() + bytes.size());
}
}  // namespace

TEST_CASE("a read past the end gives zero and fails for good") {
  const std::vector<uint8_t> bytes{1, 2, 3};
  ByteCursor cursor = over(bytes);
  CHECK(cursor.read<uint16_t>() == 0x0201);
  CHECK(cursor.read<uint32_t>() == 0);
  CHECK(cursor.failed());
  CHECK(cursor.at_end());
  CHECK(cursor.read<uint8_t>() == 0);
}

TEST_CASE("LEB128 numbers, cut short or too long") {
  const std::array<uint8_t, 3> value{0xe5, 0x8e, 0x26};
  CHECK(ByteCursor(value.data(), value.data() + 3).read_uleb128() == 624485);
  ByteCursor cut(value.data(), value.data() + 2);
  CHECK(cut.read_uleb128() == 0);
  CHECK(cut.failed());
  const std::array<uint8_t, 1> minus_two{0x7e};
  CHECK(ByteCursor(minus_two.data(), minus_two.data() + 1).read_sleb128() == -2);
  std::array<uint8_t, 40> endless;
  endless.fill(0xff);
  ByteCursor cursor(endless.data(), endless.data() + endless.size());
  cursor.read_sleb128();
  CHECK(cursor.failed());
}

TEST_CASE("a taken range is no larger than what is left") {
  const std::array<uint8_t, 4> bytes{};
  ByteCursor cursor(bytes.data(), bytes.data() + 4);
  CHECK(cursor.take(3).left() == 3);
  CHECK(cursor.take(2).left() == 0);
  CHECK(cursor.failed());
  ByteCursor huge(bytes.data(), bytes.data() + 4);
  huge.skip(~uint64_t{0});
  CHECK(huge.failed());
}
