// Structures to bytes and back, for what is stored.
//
// Each structure's members are listed once, in a function that takes either of these: a member that
// is left out is missing both ways, and the tests, which compare all of them, see it.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "interposer/format/primitives.h"
#include "reader/file/byte_view.h"

namespace memlens::reader {

class ArchiveWriter {
 public:
  template <typename... Values>
  void operator()(const Values&... values) {
    (add(values), ...);
  }

  template <typename Item, typename Visit>
  void list(const std::vector<Item>& items, const Visit& visit) {
    add(items.size());
    for (const Item& item : items) visit(*this, item);
  }

  std::string take() { return std::move(bytes_); }

 private:
  template <std::unsigned_integral Value>
  void add(const Value& value) {
    uint8_t encoded[format::kMaxVarintBytes];
    const uint8_t* end = format::encode_varint(encoded, uint64_t{value});
    bytes_.append(reinterpret_cast<const char*>(encoded), static_cast<size_t>(end - encoded));
  }
  template <typename Value>
  requires std::is_enum_v<Value>
  void add(const Value& value) {
    add(static_cast<std::make_unsigned_t<std::underlying_type_t<Value>>>(value));
  }
  void add(const std::string& text) {
    add(text.size());
    bytes_.append(text);
  }
  void add(const double& value) { add(__builtin_bswap64(std::bit_cast<uint64_t>(value))); }

  std::string bytes_;
};

// Throws PayloadError.
class ArchiveReader {
 public:
  explicit ArchiveReader(ByteView bytes) : bytes_(bytes) {}

  template <typename... Values>
  void operator()(Values&... values) {
    (read(values), ...);
  }

  template <typename Item, typename Visit>
  void list(std::vector<Item>& items, const Visit& visit) {
    uint64_t count = 0;
    read(count);
    // Every item takes a byte or more.
    if (count > bytes_.remaining_bytes()) throw PayloadError("a list is longer than its bytes");
    items.resize(count);
    for (Item& item : items) visit(*this, item);
  }

  void finish() const {
    if (!bytes_.empty()) throw PayloadError("there is more than there should be");
  }

 private:
  template <std::unsigned_integral Value>
  void read(Value& value) {
    value = static_cast<Value>(bytes_.read_varint());
  }
  template <typename Value>
  requires std::is_enum_v<Value>
  void read(Value& value) { value = static_cast<Value>(bytes_.read_varint()); }
  void read(std::string& text) { text = bytes_.read_string(); }
  void read(double& value) {
    uint64_t bits = 0;
    read(bits);
    value = std::bit_cast<double>(__builtin_bswap64(bits));
  }

  ByteView bytes_;
};

}  // namespace memlens::reader
