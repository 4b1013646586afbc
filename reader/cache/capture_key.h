// What a stored result belongs to: this capture, this build of memlens, and what was asked.
#pragma once

#include <bit>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "reader/file/source.h"

namespace memlens::reader {

// Values one after the other. Equal bytes mean equal values in the same order.
class KeyBytes {
 public:
  void add(uint64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void add(const struct timespec& time) {
    add(static_cast<uint64_t>(time.tv_sec));
    add(static_cast<uint64_t>(time.tv_nsec));
  }
  template <typename Value>
  void add(const std::optional<Value>& value) {
    add(uint64_t{value.has_value()});
    if constexpr (std::is_same_v<Value, double>) {
      add(std::bit_cast<uint64_t>(value.value_or(0)));
    } else {
      add(static_cast<uint64_t>(value.value_or(0)));
    }
  }
  void add(std::string_view bytes) {
    add(uint64_t{bytes.size()});
    bytes_.append(bytes);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// The beginning of a key. The capture is known by its size, the time it was last written, and its
// first and last bytes (the session's random number, and a checksum of what was written last); not
// by its name. `what`: the kind of result.
KeyBytes start_key(std::string_view what, const Source& source);

// Of where the capture's frames are.
std::string frames_key(const Source& source);

}  // namespace memlens::reader
