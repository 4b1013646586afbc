// Reads numbers and texts of a debug section, byte order as on this machine. Past the end
// everything is zero or empty and `failed()` says so: damage is looked for once, after reading.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace memlens::symbolizer {

class ByteCursor {
 public:
  ByteCursor() = default;
  explicit ByteCursor(std::string_view bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool failed() const { return failed_; }
  bool at_end() const { return at_ == end_; }
  const char* position() const { return at_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  template <typename Number>
  Number read() {
    Number value = 0;
    if (left() < sizeof value) return fail(), Number{0};
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  uint64_t read_uleb() {
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) return static_cast<uint8_t>(*at_++);
    uint64_t value = 0;
    for (unsigned shift = 0; at_ != end_; shift += 7) {
      const auto byte = static_cast<uint8_t>(*at_++);
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    return fail(), 0;
  }

  int64_t read_sleb() {
    uint64_t value = 0;
    for (unsigned shift = 0; at_ != end_;) {
      const auto byte = static_cast<uint8_t>(*at_++);
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      shift += 7;
      if (byte >= 0x80) continue;
      if ((byte & 0x40) != 0 && shift < 64) value |= ~uint64_t{0} << shift;
      return static_cast<int64_t>(value);
    }
    return fail(), 0;
  }

  // Of 4 or 8 bytes: what 32-bit and 64-bit DWARF differ in.
  uint64_t read_offset(bool is_64_bit) { return is_64_bit ? read<uint64_t>() : read<uint32_t>(); }

  // Up to a zero byte, which is passed.
  std::string_view read_text() {
    const void* zero = at_ == end_ ? nullptr : std::memchr(at_, 0, left());
    if (zero == nullptr) return fail(), std::string_view();
    const std::string_view text(at_, static_cast<size_t>(static_cast<const char*>(zero) - at_));
    at_ += text.size() + 1;
    return text;
  }

  // The next `size` bytes, which are passed.
  std::string_view read_bytes(uint64_t size) {
    if (size > left()) return fail(), std::string_view();
    const std::string_view bytes(at_, size);
    at_ += size;
    return bytes;
  }

 private:
  void fail() {
    at_ = end_;
    failed_ = true;
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  bool failed_ = false;
};

}  // namespace memlens::symbolizer
