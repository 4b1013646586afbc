// Reading unwind information that may be truncated or nonsense: a cursor that never leaves its
// range.
//
// A read past the end gives zero and sets a sticky failure, so that callers check once at the end
// of what they parse instead of after every byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace memlens::interposer::unwind {

class ByteCursor {
 public:
  ByteCursor() = default;
  ByteCursor(const uint8_t* begin, const uint8_t* end) : position_(begin), end_(end) {
    if (begin > end) fail();
  }

  bool failed() const { return failed_; }
  bool at_end() const { return position_ >= end_; }
  const uint8_t* position() const { return position_; }
  const uint8_t* end() const { return end_; }
  size_t left() const { return static_cast<size_t>(end_ - position_); }

  template <typename Integer>
  Integer read() {
    Integer value = 0;
    if (left() < sizeof value) {
      fail();
      return 0;
    }
    std::memcpy(&value, position_, sizeof value);
    position_ += sizeof value;
    return value;
  }

  uint64_t read_uleb128() {
    uint64_t value = 0;
    for (unsigned shift = 0; position_ < end_; shift += 7) {
      const uint8_t byte = *position_++;
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    fail();
    return 0;
  }

  int64_t read_sleb128() {
    uint64_t value = 0;
    for (unsigned shift = 0; position_ < end_;) {
      const uint8_t byte = *position_++;
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      shift += 7;
      if ((byte & 0x80) == 0) {
        if (shift < 64 && (byte & 0x40) != 0) value |= ~uint64_t{0} << shift;
        return static_cast<int64_t>(value);
      }
    }
    fail();
    return 0;
  }

  void skip(uint64_t bytes) {
    if (bytes > left()) {
      fail();
    } else {
      position_ += bytes;
    }
  }

  // A range of its own for the next `bytes`, which are skipped here.
  ByteCursor take(uint64_t bytes) {
    if (bytes > left()) {
      fail();
      return ByteCursor(end_, end_);
    }
    const ByteCursor taken(position_, position_ + bytes);
    position_ += bytes;
    return taken;
  }

  void fail() {
    failed_ = true;
    position_ = end_;
  }

 private:
  const uint8_t* position_ = nullptr;
  const uint8_t* end_ = nullptr;
  bool failed_ = false;
};

}  // namespace memlens::interposer::unwind
