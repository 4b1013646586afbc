// Which native frames are part of the function that comes next outwards, by the compiler's doing.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "reader/capture/capture.h"

namespace memlens::reader {

// Of all frames of a capture. A line of a function that is inlined at one place and called at
// another counts as inlined: frames do not say which place they are of.
class InlinedFrames {
 public:
  explicit InlinedFrames(const Capture& capture);

  bool contains(const Frame& frame) const;

 private:
  struct Key {
    std::string_view function;
    std::string_view file;
    uint32_t line = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };

  std::unordered_set<Key, KeyHash> keys_;
};

}  // namespace memlens::reader
