// Variable-length integers: the only arithmetic the capture's payloads are made of.
//
// varint: unsigned LEB128, seven bits a byte, least significant group first, at most ten bytes.
// zigzag: a signed number folded to an unsigned one (0, -1, 1, -2 ... become 0, 1, 2, 3 ...).
#pragma once

#include <cstddef>
#include <cstdint>

namespace memlens::format {

inline constexpr size_t kMaxVarintBytes = 10;

constexpr uint64_t zigzag_encode(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

constexpr int64_t zigzag_decode(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

// Writes at most kMaxVarintBytes at `out` and returns the end of what it wrote.
inline uint8_t* encode_varint(uint8_t* out, uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<uint8_t>(value);
  return out;
}

// Bounds-checked. Returns the end of the varint, or nullptr when it does not end before `end` or is
// longer than ten bytes; `value` is then unspecified.
inline const uint8_t* decode_varint(const uint8_t* in, const uint8_t* end, uint64_t& value) {
  uint64_t result = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (in == end) return nullptr;
    const uint8_t byte = *in++;
    result |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      value = result;
      return in;
    }
  }
  return nullptr;
}

}  // namespace memlens::format
