// The strings of one process, by id. A long string arrives in parts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "reader/capture/id_table.h"
#include "reader/text/string_pool.h"

namespace memlens::reader {

class StringTable {
 public:
  // Throws PayloadError for a part that belongs to no string or does not continue it.
  void add_part(StringPool& pool, uint32_t id, uint64_t total_bytes, uint64_t offset_bytes,
                std::string_view part);

  // A string whose parts did not all arrive (a capture that was cut) is kept as far as it got.
  void finish(StringPool& pool);

  // Empty for an id that is not there.
  std::string_view get(uint32_t id) const { return strings_.get(id); }

 private:
  void set(StringPool& pool, uint32_t id, std::string_view text);

  struct Pending {
    uint64_t total_bytes = 0;
    std::string text;
  };

  IdTable<std::string_view> strings_;
  std::unordered_map<uint32_t, Pending> pending_;
};

}  // namespace memlens::reader
