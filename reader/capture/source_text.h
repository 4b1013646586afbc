// The text of source lines stored in the capture.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>

#include "reader/file/byte_view.h"
#include "reader/file/memory_budget.h"
#include "reader/text/string_pool.h"

namespace memlens::reader {

class SourceText {
 public:
  // Adds the lines of one source frame. Throws PayloadError, OverBudget.
  void add_payload(ByteView payload, StringPool& pool, MemoryBudget& budget);

  // The line without the white space around it; empty: not stored.
  std::string_view line(std::string_view file, uint32_t line) const;

 private:
  struct Key {
    std::string_view file;
    uint32_t line;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const {
      return std::hash<std::string_view>()(key.file) + key.line * 0x9E3779B97F4A7C15ull;
    }
  };

  std::unordered_map<Key, std::string_view, Hash> lines_;
};

}  // namespace memlens::reader
