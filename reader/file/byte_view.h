// Reading a payload: a view that is consumed from the front, every read checked against its end.
//
// All of the reader's parsing goes through here (the event decoder's fast path repeats the checks
// once for a whole event instead of once a byte). What is wrong is thrown as PayloadError; whoever
// loaded the payload knows file and offset and turns it into a CaptureError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "interposer/format/primitives.h"

namespace memlens::reader {

class PayloadError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class ByteView {
 public:
  ByteView() = default;
  ByteView(const uint8_t* data, size_t size_bytes) : next_(data), end_(data + size_bytes) {}
  explicit ByteView(std::string_view bytes)
      : ByteView(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()) {}

  bool empty() const { return next_ == end_; }
  size_t remaining_bytes() const { return static_cast<size_t>(end_ - next_); }
  const uint8_t* data() const { return next_; }

  uint8_t read_byte() {
    if (next_ == end_) throw PayloadError("a record is cut short");
    return *next_++;
  }

  uint64_t read_varint() {
    uint64_t value;
    const uint8_t* after = format::decode_varint(next_, end_, value);
    if (after == nullptr) throw PayloadError("a number is cut short or too long");
    next_ = after;
    return value;
  }

  // A varint that the format says fits 32 bits.
  uint32_t read_varint32() {
    const uint64_t value = read_varint();
    if (value > UINT32_MAX) throw PayloadError("a number is out of range");
    return static_cast<uint32_t>(value);
  }

  // The bytes stay where the view's are.
  std::string_view read_bytes(uint64_t size_bytes) {
    if (size_bytes > remaining_bytes()) throw PayloadError("a string is cut short");
    const std::string_view bytes(reinterpret_cast<const char*>(next_), size_bytes);
    next_ += size_bytes;
    return bytes;
  }

  std::string_view read_string() { return read_bytes(read_varint()); }

 private:
  const uint8_t* next_ = nullptr;
  const uint8_t* end_ = nullptr;
};

}  // namespace memlens::reader
